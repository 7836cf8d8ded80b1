//! A line between client and server that somebody has cut into: it loses, delays, keeps and repeats whole HTTP messages.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Debug)]
pub enum Mode {
    Pass,
    /// The question is lost, and the connection ends.
    LoseQuestion,
    /// The question is answered; the answer is lost, and the connection ends.
    LoseAnswer,
    /// Nothing comes back until the mode changes.
    Hang,
    /// The answer comes byte by byte.
    Trickle,
    /// The server is not asked; this is answered.
    Replay(Vec<u8>),
}

#[derive(Clone, Debug, Default)]
pub struct Exchange {
    pub question: Vec<u8>,
    pub answer: Vec<u8>,
}

pub struct Wire {
    pub address: SocketAddr,
    line: Arc<Line>,
}

struct Line {
    server: Mutex<SocketAddr>,
    mode: Mutex<Mode>,
    log: Mutex<Vec<Exchange>>,
    /// Moto looks at a condition and then writes, with other requests in between: one at a time.
    one: Mutex<()>,
}

impl Wire {
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (server, mode) = (Mutex::new(server), Mutex::new(Mode::Pass));
        let line = Arc::new(Line { server, mode, log: Mutex::default(), one: Mutex::default() });
        let shared = Arc::clone(&line);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let line = Arc::clone(&shared);
                std::thread::spawn(move || while line.exchange(&client).is_some() {});
            }
        });
        Wire { address, line }
    }

    pub fn lead_to(&self, server: SocketAddr) {
        *self.line.server.lock().unwrap() = server;
    }

    pub fn set(&self, mode: Mode) {
        *self.line.mode.lock().unwrap() = mode;
    }

    pub fn last(&self) -> Exchange {
        self.line.log.lock().unwrap().last().unwrap().clone()
    }

    /// Sends a question to the server that was seen before; gives its answer.
    pub fn repeat(&self, question: &[u8]) -> Vec<u8> {
        self.line.ask(question).unwrap()
    }
}

impl Line {
    fn ask(&self, question: &[u8]) -> Option<Vec<u8>> {
        let _one = self.one.lock().unwrap();
        let server = TcpStream::connect(*self.server.lock().unwrap()).ok()?;
        (&server).write_all(question).ok()?;
        message(&server)
    }

    fn exchange(&self, mut client: &TcpStream) -> Option<()> {
        let question = message(client)?;
        let mode = self.mode.lock().unwrap().clone();
        let answer = match &mode {
            Mode::Replay(answer) => answer.clone(),
            Mode::Hang => {
                while matches!(*self.mode.lock().unwrap(), Mode::Hang) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return None;
            }
            Mode::LoseQuestion => Vec::new(),
            Mode::Pass | Mode::LoseAnswer | Mode::Trickle => self.ask(&question)?,
        };
        self.log.lock().unwrap().push(Exchange { question, answer: answer.clone() });
        match mode {
            Mode::LoseQuestion | Mode::LoseAnswer => return None,
            Mode::Trickle => {
                for byte in answer {
                    client.write_all(&[byte]).ok()?;
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            _ => client.write_all(&answer).ok()?,
        }
        Some(())
    }
}

/// A whole HTTP message: its head, and as many bytes as that says.
fn message(mut stream: &TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map(str::trim);
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    bytes.extend(body);
    Some(bytes)
}
