//! The service: cleans up after a cut, then watches the running version until it is healthy. One on trial that does not become
//! so is given up, with the reason, and the old one starts.

use std::cmp::Ordering;
use std::time::Duration;

use geminios_slots::backend::{Backend, Entry};
use geminios_slots::version::compare;
use geminios_slots::{Observed, Refusal, State, plan_mark_bad};

use crate::health::{Checks, End, Phase, Report, Trial, Verdict, follow};
use crate::machine::{Access, Host, Machine};
use crate::supply::Tell;
use crate::verbs::bless::{bless, told};
use crate::verbs::restart::restart;
use crate::verbs::{Failure, recovered};

/// Others hold the device for moments while a version is on trial.
const PATIENCE: Duration = Duration::from_secs(120);
/// Of a blessed version, an installation may be under way over a slow link.
const FOR_INSTALLATION: Duration = Duration::from_secs(24 * 3600);

/// # Errors
/// This is no device of ours, or its slots cannot be read or changed. The service starts again after a while.
pub fn run(host: &Host, tell: &Tell) -> Result<(), Failure> {
    let on_trial = begin(host, tell)?;
    let image = host.image()?;
    let (config, checks) = Checks::of(host, image.data);
    let mut reporter = Reporter::new(host, image.version.to_string(), on_trial.then_some(config.deadline));
    let deadline = on_trial.then_some(config.deadline);
    reporter.store(tell);
    let trial = Trial::new(config.settle, deadline);
    match follow(host, &checks, trial, &mut |round| reporter.round(round, tell)) {
        End::Healthy => {}
        End::TooLate(failed) => {
            reporter.report.phase = Phase::GivenUp;
            reporter.store(tell);
            let reasons: Vec<String> =
                failed.iter().map(|verdict| format!("check {}", told(verdict))).collect();
            if give_up(host, &reasons.join("; "), tell)? {
                restart(host, tell);
                return Ok(());
            }
            // There is nothing to fall back to, so it may take as long as it takes.
            reporter.report.phase = Phase::Waiting;
            reporter.deadline = None;
            follow(host, &checks, Trial::new(config.settle, None), &mut |round| reporter.round(round, tell));
        }
    }
    let line = bless(host, "watch", FOR_INSTALLATION, tell)?;
    tell(&line);
    (reporter.report.phase, reporter.report.trial) = (Phase::Healthy, false);
    reporter.store(tell);
    Ok(())
}

/// Whether the running version is on trial, once all is cleaned up.
fn begin(host: &Host, tell: &Tell) -> Result<bool, Failure> {
    let mut machine = Machine::open(host, "watch", Access::Change, PATIENCE)?;
    let seen = recovered(&mut machine, tell)?;
    let slot = seen.running_slot().ok_or(Refusal::RunningUnknown(machine.running))?;
    let state = seen.state(&*machine.backend, slot);
    tell(&format!("version {} runs from slot {slot}: {state}", machine.image.version));
    Ok(matches!(state, State::Trying(_)))
}

/// Whether another version is started in its place.
fn give_up(host: &Host, reason: &str, tell: &Tell) -> Result<bool, Failure> {
    let mut machine = Machine::open(host, "watch", Access::Change, PATIENCE)?;
    let seen = recovered(&mut machine, tell)?;
    let version = machine.image.version.to_string();
    match plan_mark_bad(&seen, &*machine.backend, reason) {
        Ok(steps) => {
            tell(&format!("version {version} is given up: {reason}"));
            machine.run(&steps)?;
            Ok(true)
        }
        Err(Refusal::NothingElse { .. }) if is_rolled_back(&seen, &*machine.backend) => {
            tell(&format!("version {version} gets another try, if it has one: {reason}"));
            Ok(true)
        }
        // Blessed by hand, meanwhile; or it is the only one there is.
        Err(refusal @ (Refusal::NothingElse { .. } | Refusal::RunningBlessed { .. })) => {
            tell(&format!("not given up: {refusal}"));
            Ok(false)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// After a rollback the newer version stands last in line, without a try. It is the greater one, so the loader takes it when
/// the older has none left either.
fn is_rolled_back(seen: &Observed, backend: &dyn Backend) -> bool {
    let Some(running) = seen.running_slot() else { return false };
    let versions = seen.version(running.other()).zip(seen.version(running));
    let is_newer = versions.is_some_and(|(other, running)| compare(other, running) == Ordering::Greater);
    is_newer && backend.entry(seen, running.other()) == Entry::Exhausted
}

/// Tells the log and `status` what the checks say, when it changes.
struct Reporter<'a> {
    host: &'a Host,
    report: Report,
    /// Since the machine started.
    deadline: Option<Duration>,
}

impl<'a> Reporter<'a> {
    fn new(host: &'a Host, version: String, deadline: Option<Duration>) -> Self {
        let (trial, phase) = (deadline.is_some(), Phase::Waiting);
        // What it said before the last restart counts until it says something else.
        let old = Report::read(&host.paths.state());
        let old = old.filter(|old| old.version == version && old.phase == phase);
        let checks = old.map(|old| old.checks).unwrap_or_default();
        let report = Report { version, trial, phase, time: 0, deadline: None, checks };
        Reporter { host, report, deadline }
    }

    fn round(&mut self, round: &[Verdict], tell: &Tell) {
        if self.report.checks == round {
            return;
        }
        for verdict in round.iter().filter(|verdict| !self.report.checks.contains(verdict)) {
            tell(&told(verdict));
        }
        self.report.checks = round.to_vec();
        self.store(tell);
    }

    /// A full disk is for the checks to notice.
    fn store(&mut self, tell: &Tell) {
        let clock = &self.host.clock;
        self.report.time = clock.now();
        let left = self.deadline.map(|deadline| deadline.saturating_sub(clock.uptime()));
        self.report.deadline = left.map(|left| clock.now() + left.as_secs());
        if let Err(error) = self.report.store(&self.host.paths.state()) {
            tell(&error.to_string());
        }
    }
}
