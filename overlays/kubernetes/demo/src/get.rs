//! A GET of HTTP/1.1, without TLS.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::dns::Resolver;

const PATIENCE: Duration = Duration::from_secs(5);
/// No more of an answer is shown.
const LARGEST: u64 = 1 << 20;

/// Host, port and path of an address.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    host: &'a str,
    port: u16,
    path: &'a str,
}

/// Fetches an address; gives the body of an answer with status 2xx.
pub fn get(url: &str) -> Result<String, String> {
    let address = parse(url).ok_or_else(|| format!("`{url}` is not an address such as http://web:8080/"))?;
    let ips = match address.host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) => Resolver::of_this_pod()?.resolve(address.host)?,
    };
    let mut troubles = Vec::new();
    for ip in ips {
        match ask(SocketAddr::new(ip, address.port), &address) {
            Ok(answer) => return body(&answer),
            Err(error) => troubles.push(format!("{ip}: {error}")),
        }
    }
    Err(troubles.join("; "))
}

fn ask(to: SocketAddr, address: &Address<'_>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Address { host, port, path } = address;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer)?;
    Ok(answer)
}

fn parse(url: &str) -> Option<Address<'_>> {
    let rest = url.strip_prefix("http://")?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = (&rest[..end], if end == rest.len() { "/" } else { &rest[end..] });
    let inside = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority[inside..].find(':') {
        Some(colon) => (&authority[..inside + colon], authority[inside + colon + 1..].parse().ok()?),
        None => (authority, 80),
    };
    let plain = !host.is_empty() && !url.contains(|c: char| c.is_whitespace() || c.is_control());
    plain.then_some(Address { host, port, path })
}

fn body(answer: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the answer is not HTTP")?;
    let first = head.lines().next().unwrap_or_default();
    match first.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()) {
        Some(200..=299) => Ok(body.to_owned()),
        Some(_) => Err(format!("{first}\n{body}")),
        None => Err("the answer is not HTTP".into()),
    }
}

#[cfg(test)]
#[path = "get_tests.rs"]
mod tests;
