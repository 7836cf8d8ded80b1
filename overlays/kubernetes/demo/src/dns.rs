//! Names to addresses by a question to the pod's name servers: a static program has no NSS to ask.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::dns::message::{Answer, Kind};

mod message;

/// How long one name server has for one question.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer by UDP without EDNS has no more bytes (RFC 1035, section 4.2.1).
const LARGEST: usize = 512;

/// What resolv.conf(5) says.
#[derive(Debug, PartialEq, Eq)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
    search: Vec<String>,
    /// A name with so many dots is asked for as it is first.
    ndots: usize,
}

impl Resolver {
    /// As /etc/resolv.conf says, which the kubelet writes.
    pub fn of_this_pod() -> Result<Resolver, String> {
        let path = "/etc/resolv.conf";
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Resolver::parse(&text))
    }

    fn parse(text: &str) -> Resolver {
        let mut resolver = Resolver { servers: Vec::new(), search: Vec::new(), ndots: 1 };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let ip = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                    resolver.servers.extend(ip.map(|ip| SocketAddr::new(ip, 53)));
                }
                Some("search") => resolver.search = words.map(str::to_owned).collect(),
                Some("options") => {
                    let ndots =
                        words.filter_map(|word| word.strip_prefix("ndots:")?.parse().ok()).next_back();
                    resolver.ndots = ndots.unwrap_or(resolver.ndots);
                }
                _ => {}
            }
        }
        if resolver.servers.is_empty() {
            resolver.servers.push((Ipv4Addr::LOCALHOST, 53).into());
        }
        resolver
    }

    /// The whole names that a name may stand for, in the order in which they are asked for.
    fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(whole) = name.strip_suffix('.') {
            return vec![whole.to_owned()];
        }
        let searched = self.search.iter().map(|domain| format!("{name}.{}", domain.trim_end_matches('.')));
        let mut names: Vec<String> = searched.collect();
        let first = name.matches('.').count() >= self.ndots;
        names.insert(if first { 0 } else { names.len() }, name.to_owned());
        names
    }

    /// The addresses of a name, IPv4 first.
    pub fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        for candidate in self.candidates(name) {
            let mut addresses = Vec::new();
            for kind in [Kind::A, Kind::Aaaa] {
                match self.ask(&candidate, kind)? {
                    Answer::Addresses(found) => addresses.extend(found),
                    Answer::NoSuchName => break,
                }
            }
            if !addresses.is_empty() {
                return Ok(addresses);
            }
        }
        Err(format!("`{name}` is not known to the name servers"))
    }

    /// Each name server twice, as packets get lost.
    fn ask(&self, name: &str, kind: Kind) -> Result<Answer, String> {
        let mut troubles = Vec::new();
        for server in self.servers.iter().chain(&self.servers) {
            match exchange(*server, name, kind) {
                Ok(answer) => return Ok(answer),
                Err(trouble) => troubles.push(format!("{}: {trouble}", server.ip())),
            }
        }
        Err(format!("{name}: {}", troubles.join("; ")))
    }
}

fn exchange(server: SocketAddr, name: &str, kind: Kind) -> Result<Answer, String> {
    let io = |error: std::io::Error| error.to_string();
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let any: SocketAddr = any.parse().map_err(|_| "no address to send from")?;
    let socket = UdpSocket::bind(any).map_err(io)?;
    socket.connect(server).map_err(io)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(io)?;
    let id = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos() as u16);
    socket.send(&message::question(id, name, kind)?).map_err(io)?;
    let mut buffer = [0; LARGEST];
    let length = socket.recv(&mut buffer).map_err(io)?;
    message::answer(&buffer[..length], id, kind)
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
