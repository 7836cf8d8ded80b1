//! What survives a power cut: the agent's record, and PostgreSQL's history.

use geminios_failover::read;
use geminios_failover_core::{Side, Stored};

use crate::time::Micros;

#[derive(Default)]
pub struct Disk {
    pub record: Option<Vec<u8>>,
    /// What is being written: after a power cut the old or the new is there.
    pub writing: Option<Vec<u8>>,
    /// Until then writing may take seconds, or fails.
    pub slow: Micros,
    pub full: Micros,
}

impl Disk {
    pub fn stored(&self, me: Side) -> Stored {
        let stored = self.record.as_deref().map(|bytes| read(bytes).expect("what was written is read"));
        stored.unwrap_or_else(|| Stored::blank(me))
    }
}

/// PostgreSQL's history: the writes, in their order.
#[derive(Clone, Default)]
pub struct Log {
    ids: Vec<u32>,
    has: Vec<u64>,
    /// Changes when something that was there may be gone.
    pub version: u64,
}

impl Log {
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn push(&mut self, id: u32) {
        let at = id as usize / 64;
        if self.has.len() <= at {
            self.has.resize(at + 1, 0);
        }
        self.has[at] |= 1 << (id % 64);
        self.ids.push(id);
    }

    pub fn has(&self, id: u32) -> bool {
        self.has.get(id as usize / 64).is_some_and(|bits| bits & (1 << (id % 64)) != 0)
    }

    pub fn after(&self, from: usize) -> &[u32] {
        &self.ids[from..]
    }

    pub fn starts(&self, longer: &Log) -> bool {
        longer.ids.starts_with(&self.ids)
    }

    pub fn take_from(&mut self, other: &Log) {
        *self = Log { version: self.version + 1, ..other.clone() };
    }

    pub fn clear(&mut self) {
        *self = Log { version: self.version + 1, ..Log::default() };
    }
}
