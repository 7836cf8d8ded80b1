use geminios_failover_core::{Config, Decides, Side};

/// From the last feeding to the reset.
pub const BITE: u64 = 2;

pub fn config(me: Side, decides: Decides) -> Config {
    Config {
        me,
        decides,
        heartbeat: 1,
        promise: 4,
        drift: 1,
        loss: 2,
        start: 4,
        watchdog: BITE,
        fence_delay: 1,
    }
}
