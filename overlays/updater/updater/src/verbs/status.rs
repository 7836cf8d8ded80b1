//! What runs, what is in both slots, what health waits for, which versions failed and why.

mod shown;

use std::collections::BTreeMap;
use std::time::Duration;

use geminios_slots::{Done, Journal, Observed, Slot, State, journal, plan_recover};
use serde::Serialize;

use crate::args::Format;
use crate::health::Report;
use crate::image::Image;
use crate::machine::{Access, Host, JournalOnVar, Machine, MachineError};
use crate::supply::Tell;
use crate::verbs::Failure;

/// Longer than the moments for which the service holds the device, and shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(2);

/// All of it, as `--format json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub version: String,
    pub profile: String,
    pub board: String,
    /// Seconds since 1970.
    pub built: u64,
    /// None while another updater works.
    pub slots: Option<[SlotStatus; 2]>,
    /// Who works, and so keeps the slots from being looked at.
    pub busy: Option<String>,
    /// What is being installed.
    pub work: Option<WorkStatus>,
    pub counter_moved: bool,
    /// What the running version's checks say.
    pub health: Option<Report>,
    pub last: Option<LastEvent>,
    pub failed: BTreeMap<String, FailedStatus>,
    /// Things that `recover` would clean up, or why nothing can be done on this disk.
    pub problem: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SlotStatus {
    pub slot: Slot,
    pub version: Option<String>,
    pub state: String,
    pub running: bool,
    pub root_hash: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct WorkStatus {
    pub slot: Slot,
    pub version: String,
    /// Bytes of root and verity that are on the disk, and all of them.
    pub written: u64,
    pub size: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct LastEvent {
    pub time: Option<u64>,
    pub event: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct FailedStatus {
    pub reason: String,
    /// What its own health checks said last.
    pub last_report: Option<Report>,
}

/// # Errors
/// This is no device of ours.
pub fn run(host: &Host, format: Format, tell: &Tell) -> Result<(), Failure> {
    let status = look(host)?;
    match format {
        Format::Text => shown::lines(&status).iter().for_each(|line| tell(line)),
        Format::Json => tell(&serde_json::to_string_pretty(&status).unwrap_or_default()),
    }
    Ok(())
}

fn look(host: &Host) -> Result<Status, Failure> {
    match Machine::open(host, "status", Access::Look, PATIENCE) {
        Ok(mut machine) => {
            let seen = machine.observe()?;
            let journal = seen.journal.clone().unwrap_or_default();
            let slots = Slot::BOTH.map(|slot| slot_status(&seen, &machine, &journal, slot));
            let problem = match plan_recover(&seen, &*machine.backend) {
                Ok(steps) => shown::to_clean_up(&steps),
                Err(refusal) => Some(refusal.to_string()),
            };
            let status = of_journal(host, &machine.image, &journal);
            Ok(Status { slots: Some(slots), problem, ..status })
        }
        // The journal is replaced as a whole, so it can be read while another writes it.
        Err(MachineError::Busy { holder }) => {
            let mut file = JournalOnVar::in_folder(&host.paths.state());
            let journal = journal::load(&mut file).ok().and_then(Result::ok).unwrap_or_default();
            Ok(Status { busy: Some(holder), ..of_journal(host, &host.image()?, &journal) })
        }
        Err(error) => Err(error.into()),
    }
}

fn slot_status(seen: &Observed, machine: &Machine, journal: &Journal, slot: Slot) -> SlotStatus {
    let root_hash = seen.root_hash(slot);
    let state = seen.state(&*machine.backend, slot);
    let work =
        journal.work.as_ref().filter(|work| work.slot == slot).map(|work| work.release.version.clone());
    let failed = journal.failed.iter().find(|(_, failure)| failure.root_hash == root_hash);
    let failed = failed.map(|(version, _)| version.clone());
    let known = match state {
        State::Empty => None,
        State::Writing | State::Ready => work,
        _ => failed,
    };
    let running = seen.running_slot() == Some(slot);
    let version = seen.version(slot).map(str::to_owned).or(known);
    let version = version.or_else(|| running.then(|| machine.image.version.to_string()));
    SlotStatus {
        slot,
        version,
        state: state.to_string(),
        running,
        root_hash: root_hash.map(|hash| hash.to_string()),
    }
}

/// What is known without the disk.
fn of_journal(host: &Host, image: &Image, journal: &Journal) -> Status {
    let folder = host.paths.state();
    let reports = [Report::read(&folder), Report::before(&folder)];
    let report_of =
        |version: &str| reports.iter().flatten().find(|report| report.version == version).cloned();
    let work = journal.work.as_ref().map(|work| {
        let done = |done: Option<Done>| done.map_or(0, |done| done.bytes);
        WorkStatus {
            slot: work.slot,
            version: work.release.version.clone(),
            written: done(work.root) + done(work.verity),
            size: work.release.root.size + work.release.verity.size,
        }
    });
    let failed = journal.failed.iter().map(|(version, failure)| {
        let last_report = report_of(version);
        (version.clone(), FailedStatus { reason: failure.reason.clone(), last_report })
    });
    let last = journal.history.last();
    Status {
        version: image.version.to_string(),
        profile: image.profile.clone(),
        board: image.board.clone(),
        built: image.built,
        slots: None,
        busy: None,
        work,
        counter_moved: journal.counter_moved.is_some(),
        health: report_of(&image.version.to_string()),
        last: last.map(|told| LastEvent { time: told.time, event: told.event.clone() }),
        failed: failed.collect(),
        problem: None,
    }
}
