//! The address moves, and clients follow.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::node::{Node, PORT, parse};
use crate::sandbox::{ip, lan, run, within};
use crate::{BOTH, until};

#[test]
fn clients_follow_at_once() {
    run("moving::clients_follow_at_once", || {
        lan(&["a", "b", "client"]);
        let (mut a, mut b) = (Node::start("a", BOTH), Node::start("b", BOTH));
        assert_eq!(a.ask("hold 1"), "held");
        let old = ["10.9.0.100", "fd09::100"].map(|address| connect(address).unwrap());
        assert!(old.iter().all(|(_, name)| name == "a"), "{old:?}");
        assert_eq!(neighbors(), [mac("a"), mac("a")]);

        // Both clients' connections were to [::]: one of them is at a mapped address.
        let begin = Instant::now();
        assert_eq!(a.ask("drop"), "Ended(2)");
        let dropped = begin.elapsed();
        for (mut connection, _) in old {
            connection.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let error = connection.read(&mut [0; 8]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
        }
        let told = begin.elapsed();
        assert_eq!(b.ask("hold 2"), "held");
        // The client sends nothing here: what changes its tables is the announcement alone.
        until("the client's tables name b", || neighbors() == [mac("b"), mac("b")]);
        let followed = begin.elapsed();
        for address in ["10.9.0.100", "fd09::100"] {
            assert_eq!(connect(address).unwrap().1, "b");
        }
        eprintln!(
            "dropped after {dropped:?}, clients told after {told:?}, tables follow after {followed:?}, served after {:?}",
            begin.elapsed()
        );
    });
}

#[test]
fn clients_follow_when_the_old_leader_is_switched_off() {
    run("moving::clients_follow_when_the_old_leader_is_switched_off", || {
        lan(&["a", "b", "client"]);
        let (mut a, mut b) = (Node::start("a", BOTH), Node::start("b", BOTH));
        assert_eq!(a.ask("hold 1"), "held");
        assert_eq!(connect("10.9.0.100").unwrap().1, "a");
        assert_eq!(connect("fd09::100").unwrap().1, "a");
        ip("link set port-a down");
        assert_eq!(b.ask("hold 2"), "held");
        until("the client's tables name b", || neighbors() == [mac("b"), mac("b")]);
        for address in ["10.9.0.100", "fd09::100"] {
            assert_eq!(connect(address).unwrap().1, "b");
        }
        a.kill();
    });
}

/// Connects from the client; to whom is what the other side says.
fn connect(address: &str) -> std::io::Result<(TcpStream, String)> {
    let to = SocketAddr::new(parse(address), PORT);
    within("client", move || {
        let mut connection = TcpStream::connect_timeout(&to, Duration::from_secs(30))?;
        let mut name = [0];
        connection.read_exact(&mut name)?;
        Ok((connection, String::from_utf8_lossy(&name).into_owned()))
    })
}

/// Where the client believes the two addresses to be.
fn neighbors() -> [String; 2] {
    ["10.9.0.100", "fd09::100"].map(|address| {
        let shown = ip(&format!("-n client neigh show {address} dev eth0"));
        let words: Vec<&str> = shown.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "lladdr").map(|at| at + 1);
        at.map(|at| words[at].to_owned()).unwrap_or_default()
    })
}

fn mac(node: &str) -> String {
    let shown = ip(&format!("-n {node} -o link show eth0"));
    shown.split_whitespace().skip_while(|word| *word != "link/ether").nth(1).unwrap().to_owned()
}
