//! The server for tries.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use crate::made::Desk;

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn of(desk: &Desk) -> Self {
        let mut command = desk.command("serve repo --port 0");
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
        assert_eq!(line, format!("repo is at http://{address}/, until Ctrl-C\n"));
        Server { child, address }
    }

    /// Sends requests on one connection; all that comes back.
    fn told(&self, requests: &str) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection.write_all(requests.as_bytes()).unwrap();
        let mut told = Vec::new();
        connection.read_to_end(&mut told).unwrap();
        String::from_utf8_lossy(&told).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_repository_is_served_by_parts_and_nothing_beside_it() {
    let desk = Desk::published();
    let server = Server::of(&desk);
    let whole = std::fs::read_to_string(desk.path("repo/metadata/timestamp.json")).unwrap();
    let get = |path: &str, more: &str| {
        server.told(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n{more}Connection: close\r\n\r\n"))
    };
    let timestamp = "/metadata/timestamp.json";
    assert!(get(timestamp, "").ends_with(&format!("\r\n\r\n{whole}")));
    let part = get(timestamp, "Range: bytes=2-11\r\n");
    assert!(
        part.starts_with("HTTP/1.1 206 ") && part.ends_with(&format!("\r\n\r\n{}", &whole[2..12])),
        "{part}"
    );
    for path in ["/../keys/root-1.pem", "/..%2fkeys/root-1.pem", "/metadata/2.root.json", "//etc/passwd"] {
        assert!(get(path, "").starts_with("HTTP/1.1 404 "), "{path}");
    }
    // Two requests on one connection.
    let two = server.told(&format!(
        "HEAD {timestamp} HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    ));
    assert_eq!(two.matches("HTTP/1.1 200 ").count(), 1, "{two}");
    assert_eq!(two.matches("HTTP/1.1 405 ").count(), 1, "{two}");
}

#[test]
fn what_cannot_be_served() {
    let desk = Desk::published();
    let said = desk.refused("serve nothing");
    assert!(said.contains("nothing is no folder"), "{said}");
    let server = Server::of(&desk);
    let port = server.address.rsplit(':').next().unwrap();
    let said = desk.refused(&format!("serve repo --port {port}"));
    assert!(said.contains("give another --port"), "{said}");
}
