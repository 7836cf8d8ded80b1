use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the twins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    A,
    B,
}

impl Slot {
    pub const BOTH: [Slot; 2] = [Slot::A, Slot::B];

    pub fn other(self) -> Slot {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }

    pub fn root_label(self) -> &'static str {
        match self {
            Slot::A => "root-a",
            Slot::B => "root-b",
        }
    }

    pub fn verity_label(self) -> &'static str {
        match self {
            Slot::A => "root-a-verity",
            Slot::B => "root-b-verity",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Slot::A => "A",
            Slot::B => "B",
        })
    }
}

/// What a slot is. It follows from the disk; the journal only tells empty and writing, ready and bad apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing in it may be booted or is being written.
    Empty,
    /// An installation into it was begun.
    Writing,
    /// Written and verified, but the boot loader has no entry for it.
    Ready,
    /// The boot loader may try it so many times more.
    Trying(u32),
    /// The boot loader may start it for ever.
    Blessed,
    /// It failed, and why.
    Bad(String),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Empty => f.write_str("empty"),
            State::Writing => f.write_str("writing"),
            State::Ready => f.write_str("ready"),
            State::Trying(1) => f.write_str("on trial, 1 try left"),
            State::Trying(left) => write!(f, "on trial, {left} tries left"),
            State::Blessed => f.write_str("blessed"),
            State::Bad(reason) => write!(f, "bad: {reason}"),
        }
    }
}
