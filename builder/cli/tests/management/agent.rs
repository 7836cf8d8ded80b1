//! The failover agents of two nodes, as far as their sockets tell.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// What both nodes are.
#[derive(Clone, Debug)]
pub struct Scene {
    pub roles: [&'static str; 2],
    pub epoch: u64,
    pub leader: usize,
    pub changes: Value,
    /// What is said to a hand-over; nothing lets it happen.
    pub refusal: Option<&'static str>,
}

impl Scene {
    /// The first one leads since five minutes, when the second one was lost.
    pub fn whole() -> Self {
        let changes = json!([{
            "epoch": 7, "leader": "a", "by": "witness", "alone": true, "heard": 1_000_000, "silent": 1_001_000,
            "fencing": null, "fenced": null, "decided": 1_002_041, "promoted": 1_002_500, "serves": 1_002_540
        }]);
        Scene { roles: ["leader", "standby"], epoch: 7, leader: 0, changes, refusal: None }
    }

    fn answer(&mut self, node: usize, question: &str) -> Value {
        match question {
            "status" => self.status(node),
            "hand-over" => match self.refusal {
                Some(refusal) => json!({ "refused": refusal }),
                None => {
                    self.move_on();
                    json!({ "begun": true })
                }
            },
            _ => json!({ "error": "there is no such question" }),
        }
    }

    fn move_on(&mut self) {
        self.roles.swap(0, 1);
        self.leader = 1 - self.leader;
        self.epoch += 1;
        self.changes = json!([{
            "epoch": self.epoch, "leader": side(self.leader), "by": "both", "alone": false, "heard": null, "silent": null,
            "fencing": null, "fenced": null, "decided": 1_299_000, "promoted": 1_299_300, "serves": 1_299_312
        }]);
    }

    fn status(&self, node: usize) -> Value {
        let serves = self.roles[node] == "leader" || self.roles[node] == "leader-alone";
        json!({
            "at": 1_302_041, "decides": "witness", "me": side(node), "role": self.roles[node],
            "stored": {
                "record": { "number": 12, "by": "witness", "epoch": self.epoch, "leader": side(self.leader), "alone": false },
                "decided": true, "claim": null, "empty": false
            },
            "postgres": "stopped", "serves": serves.then_some(self.epoch), "heard": 120, "peer": "stopped", "serves_for": null,
            "fenced": null, "lag": if serves { 0 } else { 16_384 }, "changes": self.changes
        })
    }
}

fn side(node: usize) -> &'static str {
    ["a", "b"][node]
}

/// Answers on the socket of one node until the test ends.
pub fn run(socket: PathBuf, node: usize, scene: Arc<Mutex<Scene>>) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut line = String::new();
            if BufReader::new(&stream).read_line(&mut line).is_ok() {
                let answer = scene.lock().unwrap().answer(node, line.trim());
                let _ = writeln!(stream, "{answer}");
            }
        }
    });
}
