use std::time::Duration;

use geminios_failover_core::Record;

use crate::Error;

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Of the swap that put the record there; see [`crate::tag`].
    pub tag: u64,
    /// [`crate::EMPTY`] in a new register.
    pub record: Record,
}

/// The outcome of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swapped {
    pub done: bool,
    /// What is there now.
    pub held: Held,
}

/// A register with compare-and-swap. Each question ends within its deadline, give or take the scheduler.
pub trait Register: Send {
    fn read(&mut self, deadline: Duration) -> Result<Held, Error>;

    /// Puts the record there if the tag is still `expected` and the record [fits](crate::fits).
    ///
    /// After an error it may have been carried out, or be so later, as long as the tag is still `expected`.
    fn swap(&mut self, expected: u64, record: Record, deadline: Duration) -> Result<Swapped, Error>;

    /// The next answer is taken although it is older than what was seen ([`Error::SetBack`]), and the next swap carries the tag past
    /// all that was seen. Only a node that leads may call this: its record is the newer one, and its next swap puts it there. A standby
    /// that goes on from an old state could lead without what a lone leader acknowledged.
    fn take_what_is_there(&mut self);
}
