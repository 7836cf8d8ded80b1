use crate::{Millis, Side};

/// What a site has to decide with when its nodes do not hear each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decides {
    /// A register with compare-and-swap that both can reach: whoever swaps first.
    Witness,
    /// Whoever sees the other one switched off, by Redfish, a command, or its reset line.
    Fence,
    /// The standby: a leader that does not hear it stops, by itself or by its watchdog. A site without a standby then stands still.
    Standby,
    /// A person. A leader goes on alone; the other one never leads by itself.
    Person,
}

/// A node's settings. Both nodes must have the same, but for `me`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    pub me: Side,
    pub decides: Decides,
    /// Between two heartbeats.
    pub heartbeat: Millis,
    /// For so long a consent or a swap at the witness lets a leader serve; counted from when it asked.
    pub promise: Millis,
    /// Added by who waits for a promise to pass: clocks may run apart by this much within one. 1/50 of it is far more than
    /// quartz is off.
    pub drift: Millis,
    /// A leader that has not heard the other one for so long goes on alone if it may. Less than `promise`, so that a cut cable does
    /// not move the leader.
    pub loss: Millis,
    /// For so long PostgreSQL may take to become a leader's, before the other node is asked to lead.
    pub start: Millis,
    /// From the last feeding of the watchdog to the reset; less than `promise` by some heartbeats, or a leader is reset whose standby
    /// is slow to answer.
    pub watchdog: Millis,
    /// How much longer than a leader a standby waits before it has the other one switched off: else each does it to the other.
    pub fence_delay: Millis,
}

impl Config {
    /// How long one who promised, or sees no renewal, waits.
    pub(crate) fn wait(&self) -> Millis {
        self.promise + self.drift
    }
}
