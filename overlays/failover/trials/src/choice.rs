//! What the environment chooses.

use crate::follow::Kine;

/// On a machine that is too busy for the agents' times: how many times as long they are. Figures are then worth nothing.
pub const PACE: &str = "GEMINIOS_TRIALS_PACE";

/// `cut`, or `restart`: how Kine follows the leader.
pub const KINE: &str = "GEMINIOS_TRIALS_KINE";

/// See [`KINE`].
#[must_use]
pub fn kine() -> Kine {
    if std::env::var_os(KINE).is_some_and(|how| how == "restart") { Kine::Restart } else { Kine::Cut }
}

/// See [`PACE`].
#[must_use]
pub fn pace() -> u32 {
    std::env::var(PACE).ok().and_then(|pace| pace.parse().ok()).unwrap_or(1)
}
