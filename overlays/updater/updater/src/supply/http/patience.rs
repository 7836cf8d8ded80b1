//! How long a bad link is borne with.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use crate::supply::{SupplyError, Tell};

/// Waits that grow, with a random part, so that a thousand devices do not come back at once.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After the first failure, each further one doubling it; and at most.
    pub pause: [Duration; 2],
    /// Failures in a row without a byte between, after which it is given up. None: never.
    pub failures: Option<u32>,
    /// When the maintenance window closes.
    pub until: Option<Instant>,
}

impl Patience {
    pub(super) fn check(&self) -> Result<(), SupplyError> {
        match self.until {
            Some(until) if Instant::now() >= until => Err(SupplyError::WindowClosed),
            _ => Ok(()),
        }
    }

    /// After so many failures in a row.
    pub(super) fn wait(&self, failures: u32, error: SupplyError, tell: &Tell) -> Result<(), SupplyError> {
        if self.failures.is_some_and(|most| failures >= most) {
            return Err(error);
        }
        let full = self.pause[0].saturating_mul(1 << (failures - 1).min(16)).min(self.pause[1]);
        // Half of it at least, so that it still grows.
        let wait = full / 2 + full.mul_f64(random() / 2.0);
        // A link that drops now and then, and brings something between, is no news.
        if failures > 1 {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            tell(&format!("{line}; trying again in {} s", wait.as_secs_f64().ceil()));
        }
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        std::thread::sleep(left.map_or(wait, |left| wait.min(left)));
        self.check()
    }
}

/// From 0 to 1: the standard library seeds its hashers at random.
fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
