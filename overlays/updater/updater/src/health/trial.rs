//! When it has been healthy for long enough, and when it is too late. The decision has no clock.

use std::time::Duration;

use crate::health::{Checks, Verdict};
use crate::machine::Host;

/// Between two rounds of checks: some of them are large programs. Later, nothing waits for the answer but `status`.
const PAUSE: Duration = Duration::from_secs(10);
const LATER: Duration = Duration::from_secs(3600);
const LATER_PAUSE: Duration = Duration::from_secs(60);

/// A version that is being watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    settle: Duration,
    /// Since the same moment as what [`Trial::after`] is told.
    deadline: Option<Duration>,
    healthy_since: Option<Duration>,
}

/// What to do after a round of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Again,
    Healthy,
    TooLate,
}

impl Trial {
    /// All checks have to pass for `settle`. None: it may take as long as it takes.
    pub fn new(settle: Duration, deadline: Option<Duration>) -> Self {
        Trial { settle, deadline, healthy_since: None }
    }

    /// One that is healthy when the deadline passes gets its set time; the first failure after it is the last.
    pub fn after(&mut self, now: Duration, healthy: bool) -> Next {
        if healthy {
            let since = *self.healthy_since.get_or_insert(now);
            return if now.saturating_sub(since) >= self.settle { Next::Healthy } else { Next::Again };
        }
        self.healthy_since = None;
        if self.deadline.is_some_and(|deadline| now >= deadline) { Next::TooLate } else { Next::Again }
    }
}

/// How it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Healthy,
    /// The checks that had not passed, and what they said last.
    TooLate(Vec<Verdict>),
}

/// Runs the checks again and again until it is decided. `tell` sees each round.
pub fn follow(host: &Host, checks: &Checks, mut trial: Trial, tell: &mut dyn FnMut(&[Verdict])) -> End {
    loop {
        let round = checks.run(host);
        tell(&round);
        let healthy = round.iter().all(|verdict| verdict.problem.is_none());
        match trial.after(host.clock.uptime(), healthy) {
            Next::Healthy => return End::Healthy,
            Next::TooLate => {
                let failing = checks.failing(host);
                let failed = round.into_iter().filter(|verdict| verdict.problem.is_some());
                // They may pass now, after the last round; that was what it was given up for.
                return End::TooLate(if failing.is_empty() { failed.collect() } else { failing });
            }
            _ if host.clock.uptime() < LATER => host.clock.sleep(PAUSE),
            _ => host.clock.sleep(LATER_PAUSE),
        }
    }
}
