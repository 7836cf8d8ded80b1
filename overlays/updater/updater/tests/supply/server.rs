//! A small web server that misbehaves as it is told.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

/// A range that was asked for.
type Asked = Option<(usize, Option<usize>)>;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Without the slash.
    pub path: String,
    /// First byte, and last if it is said.
    pub range: Asked,
    /// How often this path was asked for before.
    pub before: usize,
}

/// What to do with it.
#[derive(Clone, Debug)]
pub enum Act {
    /// As a good server does.
    Serve,
    /// All of it, whatever the range.
    Whole,
    /// Closes after so many bytes of the body.
    Drop(usize),
    /// Waits without end after so many bytes of the body.
    Stall(usize),
    /// A body of unknown length that does not end.
    Endless,
    /// So many bytes more than Content-Length says.
    Longer(usize),
    /// Content-Length says so many bytes more (or fewer) than there are.
    Says(i64),
    /// Without Content-Length, up to so many bytes, then closes as if that was all.
    Until(usize),
    /// Content-Encoding: gzip.
    Gzip(Vec<u8>),
    Redirect(String),
    Status(u16),
    /// Other bytes in the place of the file's.
    Bytes(Vec<u8>),
    /// A range that begins so many bytes later than asked.
    Shifted(usize),
}

type Rule = dyn Fn(&Ask) -> Act + Send + Sync;

pub struct Server {
    pub url: String,
    pub log: Arc<Mutex<Vec<Ask>>>,
    pub connections: Arc<Mutex<usize>>,
}

impl Server {
    /// Serves a folder on the loopback interface until the test program ends.
    pub fn start(folder: PathBuf, rule: impl Fn(&Ask) -> Act + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Server { url, log: Arc::default(), connections: Arc::default() };
        let (log, connections) = (server.log.clone(), server.connections.clone());
        let (rule, folder): (Arc<Rule>, _) = (Arc::new(rule), Arc::new(folder));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                *connections.lock().unwrap() += 1;
                let (rule, log, folder) = (rule.clone(), log.clone(), folder.clone());
                // A client that went away is no error.
                thread::spawn(move || while serve(&stream, &folder, &*rule, &log).unwrap_or(false) {});
            }
        });
        server
    }

    /// How often each path was asked for.
    pub fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        self.log.lock().unwrap().iter().for_each(|ask| *counts.entry(ask.path.clone()).or_default() += 1);
        counts
    }
}

fn request(stream: &TcpStream) -> std::io::Result<Option<(String, Asked)>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let path = first.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
    let mut range = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("Range: bytes=") {
            let (from, to) = text.split_once('-').unwrap();
            range = Some((from.parse().unwrap(), to.parse().ok()));
        }
    }
    Ok(Some((path, range)))
}

/// Answers one request; whether the connection stays open.
fn serve(
    mut stream: &TcpStream,
    folder: &std::path::Path,
    rule: &Rule,
    log: &Mutex<Vec<Ask>>,
) -> std::io::Result<bool> {
    let Some((path, range)) = request(stream)? else { return Ok(false) };
    let ask = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|ask| ask.path == path).count();
        log.push(Ask { path, range, before });
        log.last().unwrap().clone()
    };
    let act = rule(&ask);
    let file = match &act {
        Act::Bytes(bytes) => Some(bytes.clone()),
        _ => std::fs::read(folder.join(&ask.path)).ok(),
    };
    let Some(file) = file else {
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot here\n")?;
        return Ok(true);
    };
    let ranged = ask.range.filter(|_| !matches!(act, Act::Whole));
    let total = file.len();
    let (head, body) = match ranged {
        None => ("HTTP/1.1 200 OK\r\n".to_owned(), &file[..]),
        Some((from, _)) if from >= total => {
            let head = format!("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\n");
            (head, &[][..])
        }
        Some((from, to)) => {
            let from = if let Act::Shifted(by) = act { from + by } else { from };
            let end = to.map_or(total, |to| (to + 1).min(total));
            let range = format!("Content-Range: bytes {from}-{}/{total}\r\n", end - 1);
            (format!("HTTP/1.1 206 Partial Content\r\n{range}"), &file[from..end])
        }
    };
    let length = |count: i64| format!("{head}Content-Length: {count}\r\n\r\n");
    let whole = body.len() as i64;
    let mut send = |head: String, body: &[u8]| {
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)
    };
    match act {
        Act::Serve | Act::Whole | Act::Bytes(_) | Act::Shifted(_) => send(length(whole), body).map(|()| true),
        Act::Drop(at) => send(length(whole), &body[..at.min(body.len())]).map(|()| false),
        Act::Stall(at) => {
            send(length(whole), &body[..at.min(body.len())])?;
            let _ = stream.read(&mut [0]);
            Ok(false)
        }
        Act::Endless => {
            send(format!("{head}\r\n"), body)?;
            loop {
                send(String::new(), &[b'x'; 8192])?;
            }
        }
        Act::Longer(by) => send(length(whole), &[body, &vec![b'x'; by]].concat()).map(|()| false),
        Act::Says(by) => send(length(whole + by), body).map(|()| false),
        Act::Until(at) => send(format!("{head}\r\n"), &body[..at.min(body.len())]).map(|()| false),
        Act::Gzip(bytes) => {
            let head = format!("{head}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bytes.len());
            send(head, &bytes).map(|()| true)
        }
        Act::Redirect(to) => {
            send(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"), &[])
                .map(|()| true)
        }
        Act::Status(code) => {
            send(format!("HTTP/1.1 {code} So\r\nContent-Length: 0\r\n\r\n"), &[]).map(|()| true)
        }
    }
}
