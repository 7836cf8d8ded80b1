//! The running version is healthy: it is kept for good.

use std::time::Duration;

use geminios_slots::{State, plan_bless};

use crate::health::{Checks, End, Trial, Verdict, follow};
use crate::machine::{Access, Host, Machine};
use crate::supply::Tell;
use crate::verbs::{Failure, PATIENCE, recovered};

/// Runs the checks until they have passed for the set time, or just once if `now`. One that fails for longer than a trial
/// may last ends it; the version stays as it is.
///
/// # Errors
/// A check fails; the slots cannot be changed.
pub fn run(host: &Host, now: bool, tell: &Tell) -> Result<(), Failure> {
    let (config, checks) = Checks::of(host, host.image()?.data);
    let start = host.clock.uptime();
    let trial = if now {
        Trial::new(Duration::ZERO, Some(start))
    } else {
        Trial::new(config.settle, Some(start + config.deadline))
    };
    let mut last = None;
    let end = follow(host, &checks, trial, &mut |round| {
        if last.as_deref() != Some(round) {
            round.iter().for_each(|verdict| tell(&told(verdict)));
            last = Some(round.to_vec());
        }
    });
    if let End::TooLate(failed) = end {
        let reasons: Vec<String> = failed
            .iter()
            .map(|verdict| {
                format!("check {} fails: {}", verdict.name, verdict.problem.as_deref().unwrap_or_default())
            })
            .collect();
        let reasons = reasons.join("; ");
        return Err(Failure::Unhealthy(format!(
            "not blessed: {reasons}\n  help: mend that, or go back with `geminios-updater rollback`"
        )));
    }
    let line = bless(host, "bless", PATIENCE, tell)?;
    tell(&line);
    Ok(())
}

/// `units: passed`.
pub(crate) fn told(verdict: &Verdict) -> String {
    format!("{}: {}", verdict.name, verdict.problem.as_deref().unwrap_or("passed"))
}

/// Ends the trial of the running version. Gives what to say of it.
///
/// # Errors
/// The slots cannot be changed.
pub(crate) fn bless(host: &Host, verb: &str, patience: Duration, tell: &Tell) -> Result<String, Failure> {
    let mut machine = Machine::open(host, verb, Access::Change, patience)?;
    let seen = recovered(&mut machine, tell)?;
    let steps = plan_bless(&seen, &*machine.backend)?;
    machine.run(&steps)?;
    let version = &machine.image.version;
    let state = seen.running_slot().map(|slot| seen.state(&*machine.backend, slot));
    Ok(match state {
        Some(State::Blessed) => format!("version {version} is healthy, and was blessed already"),
        _ => format!("version {version} is blessed: it starts from now on"),
    })
}
