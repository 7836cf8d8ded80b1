//! Virtual time: what is to happen when, and what each machine takes for the time.

use std::collections::BTreeMap;

use geminios_failover_core::{Request, Side};

use crate::faults::Fault;
use crate::machine::Given;

/// Microseconds of virtual time.
pub type Micros = u64;
pub const MS: Micros = 1_000;
pub const SECOND: Micros = 1_000_000;

/// A machine's CLOCK_BOOTTIME: it starts anywhere, and is a little fast or slow.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub began: Micros,
    pub first: u64,
    /// Of its microseconds in a true second.
    pub rate: u64,
}

impl Clock {
    /// Milliseconds.
    pub fn now(&self, time: Micros) -> u64 {
        self.first + (time - self.began) * self.rate / SECOND / MS
    }

    /// The first time at which it shows this.
    pub fn when(&self, instant: u64) -> Micros {
        self.began + self.lasts(instant.saturating_sub(self.first))
    }

    /// How long so many of its milliseconds last.
    pub fn lasts(&self, millis: u64) -> Micros {
        (millis * MS * SECOND).div_ceil(self.rate)
    }
}

#[derive(Clone, Debug)]
pub enum Event {
    Datagram {
        to: Side,
        bytes: Vec<u8>,
    },
    /// The agent's timer; void if it was set anew.
    Wake {
        side: Side,
        start: u64,
        timer: u64,
    },
    /// The disk is done, or a hung agent runs again.
    Continue {
        side: Side,
        start: u64,
    },
    Given {
        side: Side,
        start: u64,
        given: Given,
    },
    /// The reconciler looks.
    Poll {
        side: Side,
        start: u64,
    },
    /// Something that was begun with PostgreSQL is done.
    Done {
        side: Side,
        job: u64,
    },
    /// A client's write reaches a machine.
    Write {
        to: Side,
        id: u32,
        by_address: bool,
    },
    /// It is on the primary's disk.
    Written {
        side: Side,
        process: u64,
        id: u32,
    },
    /// What is streamed is on the standby's disk.
    Streamed {
        side: Side,
        link: u64,
        from: usize,
        ids: Vec<u32>,
    },
    /// The primary learns of it.
    Flushed {
        side: Side,
        process: u64,
        link: u64,
        all: usize,
    },
    LinkCheck {
        link: u64,
    },
    NextWrite,
    Arp(Side),
    Question {
        from: Side,
        start: u64,
        request: Request,
    },
    FenceActs {
        from: Side,
        start: u64,
    },
    FenceSeen {
        from: Side,
        start: u64,
    },
    /// And on again.
    PowerOff {
        side: Side,
        life: u64,
    },
    FenceLies {
        from: Side,
        start: u64,
        begun: Micros,
    },
    Bite {
        side: Side,
        life: u64,
    },
    Thaw {
        side: Side,
        life: u64,
    },
    PowerOn {
        side: Side,
        life: u64,
    },
    /// A person lets it be switched on again.
    Unlock(Side),
    StartAgent {
        side: Side,
        life: u64,
    },
    NextFault,
    Fault(Fault),
    Mend,
    Look,
}

/// On whom it depends that an event happens when it is due.
pub enum Needs {
    Agent(Side),
    Machine(Side),
    Nothing,
}

impl Event {
    pub fn needs(&self) -> Needs {
        match self {
            Event::Datagram { to: side, .. }
            | Event::Wake { side, .. }
            | Event::Continue { side, .. }
            | Event::Given { side, .. }
            | Event::Poll { side, .. } => Needs::Agent(*side),
            Event::Done { side, .. }
            | Event::Write { to: side, .. }
            | Event::Written { side, .. }
            | Event::Streamed { side, .. }
            | Event::Flushed { side, .. }
            | Event::StartAgent { side, .. } => Needs::Machine(*side),
            _ => Needs::Nothing,
        }
    }
}

/// What is due at one time comes in the order in which it was put there.
#[derive(Default)]
pub struct Queue {
    events: BTreeMap<(Micros, u64), Event>,
    count: u64,
}

impl Queue {
    pub fn push(&mut self, time: Micros, event: Event) {
        self.count += 1;
        self.events.insert((time, self.count), event);
    }

    pub fn pop(&mut self) -> Option<(Micros, Event)> {
        self.events.pop_first().map(|((time, _), event)| (time, event))
    }
}
