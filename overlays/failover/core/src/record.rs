use serde::{Deserialize, Serialize};

/// One of the two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    A,
    B,
}

impl Side {
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// What decided on a record. Of two with one number the later one here counts; why there can be two is said in the README.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Both nodes: it is on the disks of both.
    Both,
    /// The witness: it was swapped in there.
    Witness,
    /// The other node was seen to be off, or had promised to be silent.
    Proof,
    /// A person.
    Person,
}

/// Who leads. Records have a total order, in which they are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Record {
    /// One more with each change.
    pub number: u64,
    pub by: By,
    /// One more with each change of the leader. The virtual address and PostgreSQL's role belong to it.
    pub epoch: u64,
    pub leader: Side,
    /// The leader acknowledges what the other node does not have; the other one may not lead.
    pub alone: bool,
}

impl Record {
    /// That of a new site: its second node has no data yet.
    pub fn first(leader: Side) -> Self {
        Record { number: 1, by: By::Person, epoch: 1, leader, alone: true }
    }

    pub(crate) fn next(self, by: By, leader: Side, alone: bool) -> Self {
        let epoch = if leader == self.leader { self.epoch } else { self.epoch + 1 };
        Record { number: self.number + 1, by, epoch, leader, alone }
    }
}

/// What a node has on its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stored {
    pub record: Record,
    /// False: it was proposed to the other node, which may or may not have it.
    pub decided: bool,
    /// A swap was sent to the witness that expects this tag, and its outcome is not known: it may be carried out later.
    pub claim: Option<u64>,
    /// Its disk is new: it never streamed from a leader, nor led.
    pub empty: bool,
}

impl Stored {
    pub fn first(leader: Side) -> Self {
        Stored { record: Record::first(leader), decided: true, claim: None, empty: false }
    }

    /// That of a node whose disk is new. It knows of nothing, so the other one leads, and this one has nothing of it.
    pub fn blank(me: Side) -> Self {
        let record = Record { number: 0, by: By::Both, epoch: 0, leader: me.other(), alone: true };
        Stored { record, decided: true, claim: None, empty: true }
    }

    /// It knows of no site.
    pub(crate) fn is_blank(&self) -> bool {
        self.empty && self.record.number == 0
    }
}
