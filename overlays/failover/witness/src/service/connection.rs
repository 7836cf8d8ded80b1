//! One client's connection: HTTP/1.1 (RFC 9112), of which only `POST` with a length is spoken.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::Limits;
use crate::wire::{self, Signed};

/// Of a request without its body, in bytes.
const HEAD: usize = 4096;
const HEADERS: usize = 32;

pub struct Connection {
    stream: TcpStream,
    /// What came and was not used yet.
    buffer: Vec<u8>,
}

pub enum Request {
    Question {
        question: Signed,
        /// The client wants another one on this connection.
        goes_on: bool,
    },
    /// A request that is none of ours: the status to answer.
    Wrong(u16),
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        // Small answers, at once.
        let _ = stream.set_nodelay(true);
        Connection { stream, buffer: Vec::new() }
    }

    /// The next request. None if the client is gone, or silent for `idle`; an error also if it is too slow.
    pub fn request(&mut self, idle: Duration, limits: &Limits) -> io::Result<Option<Request>> {
        if self.buffer.is_empty() && self.more(idle)? == 0 {
            return Ok(None);
        }
        let end = Instant::now() + limits.request;
        let (head, length) = loop {
            match parse(&self.buffer) {
                Parsed::Head { size, length, head } => break ((size, head), length),
                Parsed::Wrong(status) => return Ok(Some(Request::Wrong(status))),
                Parsed::Part if self.buffer.len() >= HEAD => return Ok(Some(Request::Wrong(431))),
                Parsed::Part => self.must_have_more(end)?,
            }
        };
        let (size, head) = head;
        while self.buffer.len() < size + length {
            self.must_have_more(end)?;
        }
        let mut body: Vec<u8> = self.buffer.drain(..size + length).collect();
        body.drain(..size);
        let question = Signed { body, mac: head.mac };
        Ok(Some(Request::Question { question, goes_on: head.goes_on }))
    }

    fn must_have_more(&mut self, end: Instant) -> io::Result<()> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.more(left)? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn more(&mut self, time: Duration) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(time))?;
        let mut piece = [0; HEAD];
        loop {
            match self.stream.read(&mut piece) {
                Ok(size) => {
                    self.buffer.extend_from_slice(&piece[..size]);
                    return Ok(size);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub fn reply(&mut self, reply: &Signed, goes_on: bool, limits: &Limits) -> io::Result<()> {
        let connection = if goes_on { "keep-alive" } else { "close" };
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}: {}\r\nConnection: {connection}\r\n\r\n",
            reply.body.len(),
            wire::MAC,
            hex::encode(reply.mac),
        )
        .into_bytes();
        answer.extend_from_slice(&reply.body);
        self.send(&answer, limits)
    }

    /// The last word on this connection.
    pub fn refuse(&mut self, status: u16, limits: &Limits) -> io::Result<()> {
        let reason = match status {
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            411 => "Length Required",
            413 => "Content Too Large",
            431 => "Request Header Fields Too Large",
            503 => "Service Unavailable",
            _ => "Bad Request",
        };
        let answer = format!("HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        self.send(answer.as_bytes(), limits)
    }

    fn send(&mut self, answer: &[u8], limits: &Limits) -> io::Result<()> {
        self.stream.set_write_timeout(Some(limits.request))?;
        self.stream.write_all(answer)
    }
}

struct Head {
    mac: [u8; 32],
    goes_on: bool,
}

enum Parsed {
    Part,
    Wrong(u16),
    Head { size: usize, length: usize, head: Head },
}

fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let size = match request.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Parsed::Part,
        Err(httparse::Error::TooManyHeaders) => return Parsed::Wrong(431),
        Err(_) => return Parsed::Wrong(400),
    };
    if request.path != Some(wire::PATH) {
        return Parsed::Wrong(404);
    }
    if request.method != Some("POST") {
        return Parsed::Wrong(405);
    }
    let (mut length, mut mac, mut goes_on) = (None, None, request.version == Some(1));
    for header in request.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        match header.name.to_ascii_lowercase().as_str() {
            // Twice would be two opinions of where the next request begins (RFC 9112 section 6.3).
            "content-length" if length.is_some() => return Parsed::Wrong(400),
            "content-length" => {
                match value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok()).flatten() {
                    Some(bytes) => length = Some(bytes),
                    None => return Parsed::Wrong(400),
                }
            }
            "transfer-encoding" => return Parsed::Wrong(411),
            "connection" if value.eq_ignore_ascii_case("close") => goes_on = false,
            name if name == wire::MAC => mac = wire::parse_mac(value.as_bytes()),
            _ => {}
        }
    }
    match (length, mac) {
        (None, _) => Parsed::Wrong(411),
        (Some(length), _) if length > wire::MOST => Parsed::Wrong(413),
        (_, None) => Parsed::Wrong(403),
        (Some(length), Some(mac)) => Parsed::Head { size, length, head: Head { mac, goes_on } },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> u16 {
        match parse(head.as_bytes()) {
            Parsed::Part => 0,
            Parsed::Wrong(status) => status,
            Parsed::Head { .. } => 200,
        }
    }

    #[test]
    fn what_is_no_question_is_refused_by_its_head() {
        let mac = format!("{}: {}", wire::MAC, "0".repeat(64));
        let good = format!("POST /v1 HTTP/1.1\r\nContent-Length: 9\r\n{mac}\r\n\r\n");
        assert_eq!(status(&good), 200);
        assert_eq!(status(&good[..good.len() - 1]), 0);
        for (from, to, expected) in [
            ("/v1", "/v2", 404),
            ("POST", "GET", 405),
            ("Content-Length: 9", "A: b", 411),
            ("Content-Length: 9", "Content-Length: 4097", 413),
            ("Content-Length: 9", "Content-Length: +9", 400),
            ("Content-Length: 9", "Content-Length: 9\r\nContent-Length: 9", 400),
            ("Content-Length: 9", "Transfer-Encoding: chunked", 411),
            (&mac, "A: b", 403),
            ("HTTP/1.1", "SMTP", 400),
        ] {
            assert_eq!(status(&good.replace(from, to)), expected, "{from} → {to}");
        }
    }
}
