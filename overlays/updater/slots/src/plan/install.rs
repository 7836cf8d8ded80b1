use std::cmp::Ordering;

use crate::backend::{Backend, Entry};
use crate::gpt::{Gpt, GptError, Side};
use crate::journal::{Event, LARGEST, Work};
use crate::name::valid_version;
use crate::observe::Observed;
use crate::plan::{Release, settled, version};
use crate::refusal::Refusal;
use crate::state::Slot;
use crate::step::{Blob, Extent, Image, Step};
use crate::version::compare;

/// What the caller decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Install a version that failed here before.
    pub force: bool,
}

/// Puts a release into the slot that does not run, and arms it.
///
/// The order: what the loader starts from that slot goes first; then root and verity are written, flushed and read back;
/// then both copies of the partition table, one after the other; then the kernel, under its last name but no program;
/// when all is on the medium and was read back, two bytes make it one.
///
/// # Errors
/// Why this release is not installed now.
pub fn plan_install(
    seen: &Observed,
    backend: &dyn Backend,
    release: &Release,
    policy: Policy,
) -> Result<Vec<Step>, Refusal> {
    if !seen.esp_writable {
        return Err(Refusal::EspReadOnly);
    }
    let running = settled(seen, backend)?;
    let target = running.other();
    check_release(seen, backend, release, running, policy)?;
    let tables = tables(seen)?;
    let (root, verity) = seen.extents(target).ok_or(Refusal::NoPartition(target.root_label()))?;
    check_rooms(seen, backend, release, target, (root, verity))?;

    let work = seen.journal.as_ref().ok().and_then(|journal| journal.work.as_ref());
    let work = work.filter(|work| work.slot == target && work.release == *release);
    let mut steps = Vec::new();
    if work.is_none() {
        steps.push(Step::Record(Event::Begun { slot: target, release: Box::new(release.clone()) }));
    }
    steps.extend(backend.disarm(seen, target));
    steps.extend(write(release, work, root, verity));
    steps.extend(found_by(tables, target, release));
    steps.extend(backend.arm(seen, target, release)?);
    steps.push(Step::Record(Event::Armed {
        slot: target,
        version: release.version.clone(),
        root_hash: release.root_hash,
    }));
    Ok(steps)
}

fn check_release(
    seen: &Observed,
    backend: &dyn Backend,
    release: &Release,
    running: Slot,
    policy: Policy,
) -> Result<(), Refusal> {
    let (target, version_there) = (running.other(), || release.version.clone());
    if !valid_version(&release.version) {
        return Err(Refusal::Version(version_there()));
    }
    if release.root_hash == seen.running {
        return Err(Refusal::AlreadyRunning { version: version_there() });
    }
    if backend.entry(seen, running) != Entry::Blessed {
        return Err(Refusal::RunningNotBlessed { version: version(seen, running) });
    }
    let armed = matches!(backend.entry(seen, target), Entry::Trying(_) | Entry::Blessed);
    if armed && seen.root_hash(target) == Some(release.root_hash) {
        return Err(Refusal::AlreadyArmed { version: version_there(), slot: target });
    }
    let greater = |current: &&str| compare(&release.version, current) == Ordering::Greater;
    if let Some(current) = seen.version(running).filter(|current| !greater(current)) {
        return Err(Refusal::NotNewer { version: version_there(), running: current.to_owned() });
    }
    let journal = seen.journal.as_ref().ok();
    let failed = |journal: &crate::Journal| {
        let same = journal.failed.values().find(|failure| failure.root_hash == Some(release.root_hash));
        journal.failed.get(&release.version).or(same).map(|failure| failure.reason.clone())
    };
    if let Some(reason) = journal.and_then(failed).filter(|_| !policy.force) {
        return Err(Refusal::FailedBefore { version: version_there(), reason });
    }
    if backend.needs_counter() && journal.is_none_or(|journal| journal.counter_moved.is_none()) {
        return Err(Refusal::CounterUnproven);
    }
    Ok(())
}

/// Both copies must count: while one is written, the other is all there is.
fn tables(seen: &Observed) -> Result<[&Gpt; 2], Refusal> {
    let count = |side, gpt: &Result<Gpt, GptError>| match gpt {
        Ok(_) => Ok(()),
        Err(error) => Err(Refusal::Table { side, error: error.clone() }),
    };
    match (&seen.backup, &seen.primary) {
        (Ok(backup), Ok(primary)) => {
            if primary.other_is_at(seen.last_block) {
                Ok([backup, primary])
            } else {
                Err(Refusal::TableNotAtEnd)
            }
        }
        (backup, primary) => {
            if primary.as_ref().is_ok_and(|primary| !primary.other_is_at(seen.last_block)) {
                return Err(Refusal::TableNotAtEnd);
            }
            count(Side::Primary, primary)?;
            count(Side::Backup, backup)?;
            Err(Refusal::Unsettled)
        }
    }
}

fn check_rooms(
    seen: &Observed,
    backend: &dyn Backend,
    release: &Release,
    target: Slot,
    (root, verity): (Extent, Extent),
) -> Result<(), Refusal> {
    let parts = [(Image::Root, release.root, root), (Image::Verity, release.verity, verity)];
    for (image, Blob { size, .. }, extent) in parts {
        if size == 0 || size % crate::verity::BLOCK != 0 {
            return Err(Refusal::ImageSize { image, size });
        }
        if size > extent.size {
            return Err(Refusal::SlotTooSmall { image, needed: size, room: extent.size });
        }
    }
    // Old and new journal are there at once.
    let (needed, free) = (LARGEST as u64, seen.journal_room);
    if free < needed {
        return Err(Refusal::JournalFull { needed, free });
    }
    backend.check_room(seen, target, release)
}

fn write(release: &Release, work: Option<&Work>, root: Extent, verity: Extent) -> [Step; 6] {
    let claims = (work.and_then(|work| work.root), work.and_then(|work| work.verity));
    [
        Step::WriteImage { image: Image::Root, to: root, blob: release.root, claim: claims.0 },
        Step::FlushDisk,
        Step::WriteImage { image: Image::Verity, to: verity, blob: release.verity, claim: claims.1 },
        Step::FlushDisk,
        Step::VerifySlot {
            root,
            root_blob: release.root,
            verity,
            verity_blob: release.verity,
            root_hash: release.root_hash,
        },
        Step::Record(Event::Verified),
    ]
}

/// The slot gets the PARTUUIDs of the release. One copy of the table after the other, so that one always counts.
fn found_by(tables: [&Gpt; 2], target: Slot, release: &Release) -> Vec<Step> {
    let mut steps = Vec::new();
    if tables.iter().any(|gpt| gpt.root_hash(target) != Some(release.root_hash)) {
        for gpt in tables.iter().filter_map(|gpt| gpt.with(target, &release.root_hash)) {
            let table = gpt.table(format!("slot {target} is {}", release.root_hash));
            steps.extend(put(table));
        }
    }
    steps
}

/// Writes one copy and sees it on the medium.
pub(crate) fn put(table: crate::step::Table) -> [Step; 3] {
    [Step::WriteTable(Box::new(table.clone())), Step::FlushDisk, Step::CheckTable(Box::new(table))]
}
