//! A server of static files on the loopback that counts the bytes of what it answers with, without the headers.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Server {
    pub url: String,
    bytes: Arc<AtomicU64>,
}

impl Server {
    /// It serves until the process ends.
    pub fn start(folder: &Path) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bytes = Arc::new(AtomicU64::new(0));
        let (folder, counter) = (folder.to_owned(), bytes.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, counter) = (folder.clone(), counter.clone());
                std::thread::spawn(move || answer(&stream, &folder, &counter));
            }
        });
        Server { url, bytes }
    }

    /// Bytes since the last time.
    pub fn taken(&self) -> u64 {
        self.bytes.swap(0, Ordering::SeqCst)
    }
}

/// All requests of one connection.
fn answer(stream: &TcpStream, folder: &Path, counter: &AtomicU64) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(request)) = lines.next() {
        for line in lines.by_ref() {
            match line {
                Ok(line) if !line.is_empty() => {}
                Ok(_) => break,
                Err(_) => return,
            }
        }
        let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let (head, body) = match std::fs::read(folder.join(path)) {
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut out = stream;
        if out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body)).is_err() {
            return;
        }
        counter.fetch_add(body.len() as u64, Ordering::SeqCst);
    }
}
