use serde::{Deserialize, Serialize};

use crate::{Heartbeat, Instant, Record, Stored};

/// What PostgreSQL does, as it was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Postgres {
    Stopped,
    /// It replays what the leader sends. `streams`: it is connected to the leader, on its timeline.
    Standby {
        streams: bool,
    },
    /// It takes writes. `covered`: each commit waits for the standby, and all that was acknowledged before is there too.
    Primary {
        covered: bool,
    },
}

/// What the core learns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Time went on. At least every [`crate::Config::heartbeat`].
    Tick,
    Heard(Heartbeat),
    Witness(Answer),
    /// Whether the other node was switched off: true only if it was seen to be off.
    Fenced(bool),
    Postgres(Postgres),
    /// Whether this node reaches its clients' network. A veto, never a proof.
    Uplink(bool),
    Command(Command),
}

/// What a person asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// Let the other node lead; only a leader whose standby has everything does.
    HandOver,
    /// Lead, although nothing proves that the other one does not. The person vouches that it is off.
    Lead,
}

/// A question to the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    pub id: u64,
    pub asked: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    Read,
    /// Put this record there if the tag is still this one. The tag changes with each swap and never comes again.
    Swap {
        tag: u64,
        record: Record,
    },
}

/// What the witness said to the request of this id; after [`Asked::Swap`] `done` tells whether it was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    pub id: u64,
    pub done: bool,
    pub tag: u64,
    pub record: Record,
}

/// What PostgreSQL is to be. Whoever carries it out does what is needed, again and again, until it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// `clean`: with all that it has on the standby; else at once.
    Stopped { clean: bool },
    /// A standby of the other node; its own fork is put aside first, if it has one.
    Follow { epoch: u64 },
    /// `sync`: each commit waits for the standby.
    Lead { epoch: u64, sync: bool },
}

/// What is to be done, in this order. Each is complete before the next begins; what cannot be written ends the agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Persist(Stored),
    Send(Heartbeat),
    Ask(Request),
    /// Have the other node switched off and see that it is.
    Fence,
    Postgres(Goal),
    /// Address and API belong to this epoch of this node, or to nobody here.
    Serve(Option<u64>),
    /// Feed the watchdog if it then fires before this time, should it not be fed again; without a time feed it in any case.
    Feed(Option<Instant>),
    Refuse(Refusal),
}

/// Why a command is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    NotLeading,
    /// The other node is not heard, does not stream, or may lack what was acknowledged.
    PeerNotReady,
    /// This node has the role already.
    Leading,
    /// A swap at the witness is under way.
    Undecided,
}
