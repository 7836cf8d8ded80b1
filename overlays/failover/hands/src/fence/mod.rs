//! Switches the other node off, and sees that it is off.
//!
//! There are three outcomes and only one of them counts: [`Outcome::SeenOff`]. Whatever could not be made sure is
//! [`Outcome::Unknown`], and the other node may be on. A node that is off may come back when it is switched on again; the core then
//! lets it decide nothing before it has heard this one.

mod bmc;
mod command;
mod curl;
mod gpio;
mod redfish;

use std::time::{Duration, Instant};

pub use command::Command;
pub use curl::{Login, Trust};
pub use gpio::{Chip, Gpio, Line, Lines};
pub use redfish::{Redfish, System};

use crate::Cancel;

/// A means to switch the other node off.
pub trait Fence: Send + Sync {
    /// Switches it off and waits until it is seen to be off; no longer than `deadline`, and no longer once it is cancelled.
    fn off(&self, deadline: Duration, cancel: &Cancel) -> Attempt;

    /// What it is now, without changing it: to know that the means works before it is needed.
    fn state(&self, deadline: Duration, cancel: &Cancel) -> Power;

    /// Lets go of what is held, so that the other node may be switched on again. Nothing is switched on by it.
    fn release(&self) {}
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The means itself says that it is off, after it was asked to be.
    SeenOff,
    /// It is not off, or was not asked to be.
    Failed(String),
    /// It may be off or not.
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Power {
    Off,
    On,
    Unknown(String),
}

/// What came of it, and how long each part took: for the timeline of a failover.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub outcome: Outcome,
    pub phases: Vec<Phase>,
}

impl Attempt {
    /// For the core's `Event::Fenced`.
    #[must_use]
    pub fn seen_off(&self) -> bool {
        self.outcome == Outcome::SeenOff
    }
}

#[derive(Clone, Debug)]
pub struct Phase {
    pub name: &'static str,
    pub took: Duration,
    pub result: String,
}

/// Measures one attempt.
struct Timeline {
    last: Instant,
    phases: Vec<Phase>,
}

impl Timeline {
    fn begin() -> Self {
        Timeline { last: Instant::now(), phases: Vec::new() }
    }

    /// What was done since the last one.
    fn phase(&mut self, name: &'static str, result: impl Into<String>) {
        let now = Instant::now();
        self.phases.push(Phase { name, took: now - self.last, result: result.into() });
        self.last = now;
    }

    fn end(self, outcome: Outcome) -> Attempt {
        Attempt { outcome, phases: self.phases }
    }
}
