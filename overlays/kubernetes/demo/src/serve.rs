//! The server: every answer names the pod and counts; each request is a line on standard output.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::pod;
use crate::signals::Stop;

const PORT: u16 = 8080;
/// A request of more bytes is none of ours.
const LARGEST: u64 = 8 << 10;
/// Connections at once; more are turned away.
const MOST: usize = 64;

static ANSWERED: AtomicU64 = AtomicU64::new(0);
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Serves until SIGTERM or SIGINT; what was begun is finished first, for five seconds at most.
pub fn run() -> Result<String, String> {
    let stop = Stop::block().map_err(|error| format!("signals: {error}"))?;
    // Takes IPv4 as well; a host without IPv6 has only the other.
    let listener = TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)))
        .or_else(|_| TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], PORT))))
        .map_err(|error| format!("port {PORT}: {error}"))?;
    say(&format!("{} serves on port {PORT}", pod::name()));
    std::thread::spawn(move || accept(&listener));
    stop.wait();
    for _ in 0..100 {
        if OPEN.load(Ordering::SeqCst) == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(format!("{} stops after {} answers\n", pod::name(), ANSWERED.load(Ordering::SeqCst)))
}

fn accept(listener: &TcpListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        if OPEN.fetch_add(1, Ordering::SeqCst) >= MOST {
            OPEN.fetch_sub(1, Ordering::SeqCst);
            drop(stream.write_all(&response(503, "too many connections\n")));
            continue;
        }
        let work = move || {
            // Whoever asks and leaves is no concern of the others.
            drop(converse(&stream));
            OPEN.fetch_sub(1, Ordering::SeqCst);
        };
        if std::thread::Builder::new().spawn(work).is_err() {
            OPEN.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

fn converse(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(stream.take(LARGEST)).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let (status, body) = answer(&first, &pod::name(), || ANSWERED.fetch_add(1, Ordering::SeqCst) + 1);
    let peer =
        stream.peer_addr().map_or_else(|_| "?".to_owned(), |peer| peer.ip().to_canonical().to_string());
    say(&format!("{peer} \"{}\" {status}", first.escape_debug()));
    let mut stream = stream;
    stream.write_all(&response(status, &body))
}

/// Status and body for the first line of a request.
fn answer(line: &str, pod: &str, count: impl FnOnce() -> u64) -> (u16, String) {
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match (method, target.split('?').next().unwrap_or_default()) {
        (_, "") => (400, "this is no request\n".into()),
        ("GET" | "HEAD", "/healthz") => (200, "ok\n".into()),
        ("GET" | "HEAD", "/") => (200, format!("hello from {pod}, answer {}\n", count())),
        ("GET" | "HEAD", _) => (404, "there is / and /healthz\n".into()),
        _ => (405, "only GET\n".into()),
    }
}

fn response(status: u16, body: &str) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Service Unavailable",
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    (head + body).into_bytes()
}

/// A line of the log; a reader that is gone does not stop the server.
fn say(line: &str) {
    drop(writeln!(io::stdout(), "{line}"));
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
