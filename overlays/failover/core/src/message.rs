use serde::{Deserialize, Serialize};

use crate::{Postgres, Stored};

/// What one node tells the other, again and again. It may be lost, late, doubled; who sent it was checked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Of this start of the agent; no two starts have the same.
    pub boot: u64,
    /// One more each time.
    pub number: u64,
    /// Boot and number of the newest heartbeat that was heard.
    pub answers: Option<(u64, u64)>,
    pub stored: Stored,
    pub postgres: Postgres,
    /// "As long as a promise I do nothing to lead", counted from the heartbeat that it answers.
    pub consents: bool,
    /// An answer is wanted at once.
    pub urgent: bool,
}
