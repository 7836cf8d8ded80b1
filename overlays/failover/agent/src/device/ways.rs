//! Datagrams to and from the other node, on every way there is.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::Sender;
use std::time::Duration;

use geminios_failover::line::LARGEST;

use super::Happened;
use super::settings::Way;

pub struct Ways {
    sockets: Vec<(Option<UdpSocket>, Way)>,
    events: Sender<Happened>,
}

impl Ways {
    /// An address that this node does not have yet, as its cable is not in, is tried again at each datagram.
    pub fn open(ways: &[Way], events: &Sender<Happened>) -> Self {
        let sockets = ways.iter().map(|way| (None, way.clone())).collect();
        let mut ways = Ways { sockets, events: events.clone() };
        ways.bind();
        ways
    }

    fn bind(&mut self) {
        for (socket, way) in &mut self.sockets {
            if socket.is_none() {
                *socket = UdpSocket::bind(way.mine).ok();
                if let Some(Ok(socket)) = socket.as_ref().map(UdpSocket::try_clone) {
                    receive(socket, way.other, self.events.clone());
                }
            }
        }
    }

    pub fn send(&mut self, datagram: &[u8]) {
        self.bind();
        for (socket, way) in &self.sockets {
            // What is not sent is as what is lost.
            let _ = socket.as_ref().map(|socket| socket.send_to(datagram, way.other));
        }
    }
}

fn receive(socket: UdpSocket, other: SocketAddr, events: Sender<Happened>) {
    std::thread::spawn(move || {
        let mut buffer = [0; LARGEST + 1];
        loop {
            match socket.recv_from(&mut buffer) {
                // Anybody may send here; only the other node's is worth the work of looking whether it is the other's.
                Ok((length, from)) if from.ip() == other.ip() => {
                    if events.send(Happened::Datagram(buffer[..length].to_vec())).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                // What an earlier datagram came to, such as a port that nobody listens on.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    });
}
