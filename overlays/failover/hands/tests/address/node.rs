//! A node: a process in its namespace that holds addresses as it is told, and serves at them.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{IpAddr, TcpListener};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use geminios_failover_hands::address::{Address, Prefix};

pub const PORT: u16 = 7777; // of a namespace of this test's own
const ADDRESSES: &str = "GEMINIOS_NODE";

pub struct Node {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// `addresses`: like `10.9.0.100/32 fd09::100/128`.
    pub fn start(name: &str, addresses: &str) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name]).arg(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "node::node", "--nocapture"]).env(ADDRESSES, addresses);
        command.env("GEMINIOS_NAME", name).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut node = Node { child, stdin, stdout };
        assert_eq!(node.answer(), "ready");
        node
    }

    /// `hold EPOCH`, `drop`, `trouble`: what it answers.
    pub fn ask(&mut self, what: &str) -> String {
        writeln!(self.stdin, "{what}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> String {
        loop {
            let line = self.stdout.next().expect("the node has ended").unwrap();
            if let Some(answer) = line.strip_prefix("= ") {
                return answer.to_owned();
            }
        }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
#[ignore = "the other tests run it, as a node"]
fn node() {
    let addresses = std::env::var(ADDRESSES).unwrap();
    let prefix = |text: &str| {
        let (address, length) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
    };
    let tell = Arc::new(|line: &str| eprintln!("! {line}"));
    let address = Address::new("eth0", addresses.split_whitespace().map(prefix).collect(), tell).unwrap();
    serve();
    println!("\n= ready");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let answer = match line.split_once(' ') {
            Some(("hold", epoch)) => match address.hold(epoch.parse().unwrap()) {
                Ok(()) => "held".to_owned(),
                Err(error) => error.to_string(),
            },
            _ if line == "drop" => format!("{:?}", address.drop_all().unwrap()),
            _ => address.trouble().unwrap_or_default(),
        };
        println!("= {answer}");
    }
}

/// Says its name to whoever comes, and keeps the connection.
fn serve() {
    let name = std::env::var("GEMINIOS_NAME").unwrap();
    let listener = TcpListener::bind(("::", PORT)).unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, name) = (connection.unwrap(), name.clone());
            std::thread::spawn(move || {
                let _ = connection.write_all(name.as_bytes());
                let _ = connection.read(&mut [0; 16]);
            });
        }
    });
}

pub fn parse(address: &str) -> IpAddr {
    address.parse().unwrap()
}
