//! What a node says of itself: as much of the agent's status as is shown. Times are milliseconds.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize)]
pub struct Seen {
    /// Its name in Kubernetes.
    pub node: String,
    pub peer: Peer,
    pub agent: Agent,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Peer {
    pub node: String,
    pub address: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Agent {
    /// Since its machine started, as are times of changes.
    pub at: u64,
    pub me: String,
    pub role: String,
    pub decides: String,
    pub stored: Stored,
    pub serves: Option<u64>,
    pub lag: u64,
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Stored {
    pub record: Record,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    pub epoch: u64,
    pub leader: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Change {
    pub epoch: u64,
    pub by: String,
    heard: Option<u64>,
    silent: Option<u64>,
    fencing: Option<u64>,
    fenced: Option<u64>,
    pub decided: u64,
    promoted: Option<u64>,
    serves: Option<u64>,
}

/// One step of a change, from the end of the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Phase {
    pub name: &'static str,
    pub milliseconds: u64,
}

impl Change {
    /// The steps that were taken, in their order.
    pub fn phases(&self) -> Vec<Phase> {
        let steps = [
            ("silent", self.silent),
            ("fencing", self.fencing),
            ("fenced", self.fenced),
            ("decided", Some(self.decided)),
            ("promoted", self.promoted),
            ("serves", self.serves),
        ];
        let mut last = self.heard;
        let mut phases = Vec::new();
        for (name, at) in steps {
            let Some(at) = at else { continue };
            if let Some(last) = last {
                phases.push(Phase { name, milliseconds: at.saturating_sub(last) });
            }
            last = Some(at);
        }
        phases
    }

    /// By what it was decided.
    pub fn by(&self) -> &str {
        match self.by.as_str() {
            "both" => "both nodes agreed",
            "witness" => "the witness decided",
            "person" => "a person decided",
            _ if self.fenced.is_some() => "the other one was seen to be off",
            _ => "the other one could not lead any more",
        }
    }
}

impl Seen {
    /// The change that made the leader of now, if the agent knows of it.
    pub fn change(&self) -> Option<&Change> {
        self.agent.changes.last().filter(|change| change.epoch == self.agent.stored.record.epoch)
    }

    /// For how long the leader of now has been it.
    pub fn since(&self) -> Option<u64> {
        self.change().map(|change| self.agent.at.saturating_sub(change.decided))
    }

    /// The name of the node that leads, as this one has it on its disk.
    pub fn leader(&self) -> &str {
        if self.agent.stored.record.leader == self.agent.me { &self.node } else { &self.peer.node }
    }

    /// In words.
    pub fn role(&self) -> &str {
        match self.agent.role.as_str() {
            "leader" => "leader, each commit is on both nodes",
            "leader-alone" => "leader, alone",
            "leader-not-serving" => "leader, not serving",
            "standby" => "standby, may lead next",
            "standby-behind" => "standby, may not lead: it may lack what was acknowledged",
            other => other,
        }
    }
}
