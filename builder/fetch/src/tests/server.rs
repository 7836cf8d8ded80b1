//! HTTP servers on loopback, each as good or as bad as a test needs it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::world::bytes;

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The first line, without the version.
    pub line: String,
    /// First byte of `Range:`.
    pub from: Option<usize>,
    pub headers: Vec<String>,
}

pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// A server that answers the nth request (from 0) by `answer`, and closes the connection.
    pub fn start(answer: impl Fn(usize, &Request, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer) = (seen.clone(), answer.clone());
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let n = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        seen.len() - 1
                    };
                    answer(n, &request, &mut stream);
                });
            }
        });
        Server { address, requests }
    }

    /// A good mirror: every path below /debian has these bytes.
    pub fn good(bytes: &[u8]) -> Server {
        let bytes = bytes.to_vec();
        Server::start(move |_, request, stream| serve(&bytes, request, stream))
    }

    /// A good mirror: pool/main/NAME_… has the bytes of that name.
    pub fn of_names(size: usize) -> Server {
        Server::start(move |_, request, stream| {
            let file = request.line.rsplit('/').next().unwrap();
            serve(&bytes(file.split('_').next().unwrap(), size), request, stream);
        })
    }

    /// A mirror that has only such a status.
    pub fn status(line: &'static str) -> Server {
        Server::start(move |_, _, stream| say(stream, &format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n")))
    }

    /// Its address as a mirror of `debian`.
    pub fn mirror(&self) -> String {
        format!("http://{}/debian", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The first bytes that were asked for, request by request.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.requests().iter().map(|request| request.from).collect()
    }
}

/// An address where nobody listens.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/debian", listener.local_addr().unwrap())
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let headers: Vec<String> = lines.collect();
    let range =
        headers.iter().find_map(|h| h.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
    let from = range.map(|range| range.trim_end_matches('-').parse().unwrap());
    Some(Request { line: first.trim_end_matches(" HTTP/1.1").to_owned(), from, headers })
}

/// Writes a head; clients may have gone.
pub fn say(stream: &mut TcpStream, head: &str) {
    drop(write!(stream, "{head}Connection: close\r\n\r\n"));
}

/// The head of a whole file.
pub fn say_whole(stream: &mut TcpStream, size: usize) {
    say(stream, &format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n"));
}

/// As a good server does it.
pub fn serve(bytes: &[u8], request: &Request, stream: &mut TcpStream) {
    match request.from {
        Some(from) if from < bytes.len() => {
            let (last, size) = (bytes.len() - 1, bytes.len());
            let range = format!("Content-Range: bytes {from}-{last}/{size}\r\n");
            say(
                stream,
                &format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n{range}", size - from),
            );
            drop(stream.write_all(&bytes[from..]));
        }
        _ => {
            say_whole(stream, bytes.len());
            drop(stream.write_all(bytes));
        }
    }
}

/// Promises all and sends some, then nothing, and holds the connection.
pub fn stall(bytes: &[u8], sent: usize, stream: &mut TcpStream) {
    say_whole(stream, bytes.len());
    drop(stream.write_all(&bytes[..sent]));
    std::thread::sleep(Duration::from_secs(60));
}

/// Promises all and sends some, then closes the connection.
pub fn cut(bytes: &[u8], sent: usize, stream: &mut TcpStream) {
    say_whole(stream, bytes.len());
    drop(stream.write_all(&bytes[..sent]));
}
