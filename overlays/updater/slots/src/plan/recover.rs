use crate::backend::{Backend, Entry};
use crate::journal::{Event, Journal};
use crate::observe::Observed;
use crate::plan::install::put;
use crate::plan::running;
use crate::refusal::Refusal;
use crate::state::Slot;
use crate::step::Step;

/// What to do first, whenever the updater starts: cleans up after a cut and writes down what happened meanwhile. Empty if
/// there is nothing to do. What was interrupted is not gone on with here; installing again does that.
///
/// # Errors
/// The disk is not one that this could be done on.
pub fn plan_recover(seen: &Observed, backend: &dyn Backend) -> Result<Vec<Step>, Refusal> {
    let running = running(seen)?;
    let mut steps = Vec::new();
    let fresh = Journal::default();
    let journal = match &seen.journal {
        Ok(journal) => journal,
        Err(reason) => {
            steps.push(Step::Record(Event::Lost(reason.to_string())));
            &fresh
        }
    };
    if let Some(trace) = backend.counter_moved(seen).filter(|_| journal.counter_moved.is_none()) {
        steps.push(Step::Record(Event::CounterMoved(trace)));
    }
    steps.extend(mend_tables(seen));
    steps.extend(happened(seen, backend, journal, running));
    let other = running.other();
    let is_exhausted = backend.entry(seen, other) == Entry::Exhausted;
    // While the running system is on trial, even a failed one is better than none.
    if is_exhausted && backend.entry(seen, running) == Entry::Blessed {
        steps.extend(failed(
            seen,
            journal,
            other,
            "its tries ran out: it did not start, or was not healthy in time",
        ));
        steps.extend(backend.disarm(seen, other));
    }
    steps.extend(backend.settle(seen));
    Ok(steps)
}

/// A torn copy of the partition table is made from the other.
fn mend_tables(seen: &Observed) -> Vec<Step> {
    let running = Some(seen.running);
    let wanted = match (&seen.primary, &seen.backup) {
        (Ok(primary), Ok(backup)) if primary.agrees(backup) => return Vec::new(),
        (Ok(primary), Ok(backup)) => {
            let has_running = Slot::BOTH.iter().any(|slot| primary.root_hash(*slot) == running);
            if has_running { primary.mirrored() } else { backup.mirrored() }
        }
        // A backup elsewhere than at the end is for systemd-repart to move.
        (Ok(primary), Err(_)) if primary.other_is_at(seen.last_block) => primary.mirrored(),
        (Err(_), Ok(backup)) => backup.mirrored(),
        _ => return Vec::new(),
    };
    put(wanted.table("as the other copy".to_owned())).into()
}

/// What a cut kept from being written down.
fn happened(seen: &Observed, backend: &dyn Backend, journal: &Journal, running: Slot) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(work) = &journal.work {
        let (version, root_hash) = (work.release.version.clone(), work.release.root_hash);
        let mut slots = Slot::BOTH.into_iter();
        let is_armed = |slot: &Slot| {
            seen.root_hash(*slot) == Some(root_hash) && backend.entry(seen, *slot) != Entry::None
        };
        if let Some(slot) = slots.find(is_armed) {
            steps.push(Step::Record(Event::Armed { slot, version, root_hash }));
        }
    }
    let Some(armed) = &journal.armed else { return steps };
    let here = seen.root_hash(armed.slot) == Some(armed.root_hash);
    if here && armed.root_hash == seen.running {
        if backend.entry(seen, running) == Entry::Blessed {
            let (slot, version) = (running, armed.version.clone());
            steps.push(Step::Record(Event::Blessed { slot, version }));
        }
    } else if !here || backend.entry(seen, armed.slot) == Entry::None {
        steps.push(Step::Record(Event::Failed {
            version: armed.version.clone(),
            root_hash: Some(armed.root_hash),
            reason: "its boot entry is gone".to_owned(),
        }));
    }
    steps
}

/// Writes down that a slot's version failed, unless that is known.
fn failed(seen: &Observed, journal: &Journal, slot: Slot, reason: &str) -> Option<Step> {
    let version = seen.version(slot).map(str::to_owned);
    let armed = journal.armed.as_ref().filter(|armed| armed.slot == slot).map(|armed| armed.version.clone());
    let version = version.or(armed)?;
    let root_hash = seen.root_hash(slot);
    if journal.failed.get(&version).is_some_and(|failure| failure.root_hash == root_hash) {
        return None;
    }
    Some(Step::Record(Event::Failed { version, root_hash, reason: reason.to_owned() }))
}
