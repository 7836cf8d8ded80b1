//! Which of two nodes leads, as a pure state machine: (state, event, now) → (state, actions). No I/O, no clock, no randomness.
//!
//! The truth is one [`Record`] that only goes forward: who leads, and whether the other has all that was acknowledged. A change
//! of it is decided by the site's [`Decides`], or by both nodes together. While the record says [`Record::alone`] is false, the
//! leader acknowledges a write only when it is on the disks of both, so whoever is decided on next has it.

mod config;
mod event;
mod message;
mod node;
mod record;

pub use config::{Config, Decides};
pub use event::{Action, Answer, Asked, Command, Event, Goal, Postgres, Refusal, Request};
pub use message::Heartbeat;
pub use node::Node;
pub use record::{By, Record, Side, Stored};

/// Milliseconds of a node's monotonic clock, which stops for nobody: CLOCK_BOOTTIME.
pub type Instant = u64;
/// Milliseconds.
pub type Millis = u64;
