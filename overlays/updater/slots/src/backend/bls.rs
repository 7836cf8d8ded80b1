//! systemd-boot with unified kernels that count their tries in their names (Boot Loader Specification, "Type #2" and
//! "Boot counting").
//!
//! A file gets its name while it is still no program: its first two bytes are zero. Writing "MZ" there is what arms it,
//! and one write of two bytes in one sector is all or nothing even if the sector is torn. A rename on FAT is neither:
//! its long name spans sectors, and half of it is a valid 8.3 name without a counter.

use crate::backend::{Backend, Entry};
use crate::name::{Tries, UkiName};
use crate::observe::{Observed, UkiFile};
use crate::plan::Release;
use crate::refusal::Refusal;
use crate::state::Slot;
use crate::step::Step;

/// Room beside the kernels: a folder may grow, and files take whole clusters.
const MARGIN: u64 = 128 << 10;

/// systemd-boot's boot counting.
#[derive(Clone, Copy, Debug)]
pub struct BlsCount;

impl Backend for BlsCount {
    fn entry(&self, seen: &Observed, slot: Slot) -> Entry {
        let rank = |entry: &Entry| match entry {
            Entry::None => 0,
            Entry::Exhausted => 1,
            Entry::Trying(left) => 1 + u64::from(*left),
            Entry::Blessed => u64::MAX,
        };
        let entries = seen.ukis_of(slot).map(|(_, name, _)| match name.tries {
            None => Entry::Blessed,
            Some(Tries { left: 0, .. }) => Entry::Exhausted,
            Some(Tries { left, .. }) => Entry::Trying(left),
        });
        entries.max_by_key(rank).unwrap_or(Entry::None)
    }

    fn counter_moved(&self, seen: &Observed) -> Option<String> {
        let moved = |uki: &&UkiFile| {
            let tries = uki.name.as_ref().and_then(|name| name.tries);
            uki.info.is_ok() && tries.and_then(|tries| tries.done).is_some_and(|done| done > 0)
        };
        seen.ukis.iter().find(moved).map(|uki| uki.file.clone())
    }

    fn needs_counter(&self) -> bool {
        true
    }

    fn settle(&self, seen: &Observed) -> Vec<Step> {
        let known = Slot::BOTH.map(|slot| seen.root_hash(slot));
        let mut hide = Vec::new();
        let mut remove = Vec::new();
        for uki in &seen.ukis {
            match &uki.info {
                Err(_) => remove.push(uki.file.clone()),
                Ok(info) if uki.name.is_none() || !known.contains(&Some(info.root_hash)) => {
                    hide.push(uki.file.clone());
                }
                Ok(_) => {}
            }
        }
        for slot in Slot::BOTH {
            // Of two names for one system, that which boots longest stays.
            let mut same: Vec<_> = seen.ukis_of(slot).map(|(file, name, _)| (name.tries, file)).collect();
            same.sort_by_key(|(tries, _)| tries.map_or(u64::MAX, |tries| u64::from(tries.left)));
            same.pop();
            hide.extend(same.into_iter().map(|(_, uki)| uki.file.clone()));
        }
        let mut steps: Vec<Step> = hide.iter().flat_map(|file| vanish(file)).collect();
        steps.extend(remove.iter().cloned().map(Step::RemoveUki));
        if !remove.is_empty() {
            steps.push(Step::SyncFolder);
        }
        steps
    }

    fn disarm(&self, seen: &Observed, slot: Slot) -> Vec<Step> {
        seen.ukis_of(slot).flat_map(|(uki, _, _)| vanish(&uki.file)).collect()
    }

    fn check_room(&self, seen: &Observed, target: Slot, release: &Release) -> Result<(), Refusal> {
        if !seen.esp_writable {
            return Err(Refusal::EspReadOnly);
        }
        let freed: u64 = seen.ukis_of(target).map(|(uki, _, _)| uki.size).sum();
        // Blessing copies: it needs the same room once more.
        let (needed, free) = (2 * release.uki.size + MARGIN, seen.esp_room.saturating_add(freed));
        if free < needed { Err(Refusal::EspFull { needed, free }) } else { Ok(()) }
    }

    fn arm(&self, seen: &Observed, slot: Slot, release: &Release) -> Result<Vec<Step>, Refusal> {
        let running = seen.ukis_of(slot.other()).next();
        let (_, _, info) = running.ok_or(Refusal::RunningHasNoEntry)?;
        let name = UkiName { version: release.version.clone(), tries: Some(Tries::NEW) }.to_string();
        let check = Step::CheckUki {
            name: name.clone(),
            blob: release.uki,
            root_hash: release.root_hash,
            version: release.version.clone(),
            sort_key: info.sort_key.clone(),
        };
        Ok(vec![
            Step::CreateUki { name: name.clone(), blob: release.uki },
            Step::SyncFile(name.clone()),
            Step::SyncFolder,
            check,
            Step::ShowUki(name.clone()),
            Step::SyncFile(name),
        ])
    }

    fn bless(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal> {
        recount(seen, running, None)
    }

    fn swap(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal> {
        let mut steps = recount(seen, running.other(), Some(Tries::NEW))?;
        steps.extend(recount(seen, running, Some(Tries::NONE))?);
        Ok(steps)
    }

    fn probe(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal> {
        recount(seen, running, Some(Tries::NEW))
    }
}

/// Gives a system's entry other tries: a copy under the new name, then the old name goes. One of both is there at any time.
fn recount(seen: &Observed, slot: Slot, tries: Option<Tries>) -> Result<Vec<Step>, Refusal> {
    if !seen.esp_writable {
        return Err(Refusal::EspReadOnly);
    }
    let (uki, old, _) = seen.ukis_of(slot).next().ok_or(Refusal::RunningHasNoEntry)?;
    if old.tries == tries {
        return Ok(Vec::new());
    }
    let (needed, free) = (uki.size + MARGIN, seen.esp_room);
    if free < needed {
        return Err(Refusal::EspFull { needed, free });
    }
    let name = UkiName { version: old.version.clone(), tries }.to_string();
    let from = uki.file.clone();
    let mut steps = vec![
        Step::CopyUki { from: from.clone(), name: name.clone() },
        Step::SyncFile(name.clone()),
        Step::SyncFolder,
        Step::CheckCopy { from: from.clone(), name: name.clone() },
        Step::ShowUki(name.clone()),
        Step::SyncFile(name),
    ];
    steps.extend(vanish(&from));
    Ok(steps)
}

/// First it is no program any more, in one write. Only then is it taken apart, which FAT does in many.
fn vanish(file: &str) -> [Step; 4] {
    let file = file.to_owned();
    [Step::HideUki(file.clone()), Step::SyncFile(file.clone()), Step::RemoveUki(file), Step::SyncFolder]
}
