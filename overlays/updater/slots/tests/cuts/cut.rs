//! Cuts the power: for every prefix of what was done, and for what was not flushed lost, kept or torn.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::{JournalDisk, Op, Pages, SECTOR};
use crate::updater::State0;
use crate::world::Random;

/// What a cut makes of the sectors that were not flushed.
#[derive(Clone, Copy, Debug)]
pub enum Tear {
    Lost,
    Kept,
    /// Each has its first half of the new bytes.
    FirstHalf,
    SecondHalf,
    /// Some are lost, some kept, some torn, by this seed.
    Mixed(u64),
}

/// How finely to cut.
#[derive(Clone, Copy)]
pub struct Density {
    /// The first prefix.
    pub from: usize,
    /// Of so many prefixes one is taken.
    pub every: usize,
    /// Mixed tears of each.
    pub mixed: u64,
}

/// Calls `judge` for every cut; gives how many there were.
pub fn sweep(
    before: &State0,
    ops: &[Op],
    density: Density,
    judge: &mut dyn FnMut(State0, &str) -> Result<(), String>,
) -> Result<usize, String> {
    let mut durable = before.pages.clone();
    let mut journal = JournalDisk { file: before.journal.clone(), ..JournalDisk::default() };
    // Sectors in the order in which they were written, and whether by the ESP.
    let mut pending: Vec<(usize, Vec<u8>, bool)> = Vec::new();
    let mut cuts = 0;
    for prefix in 0..=ops.len() {
        if prefix > 0 {
            apply(&ops[prefix - 1], &mut durable, &mut pending, &mut journal);
        }
        if prefix < density.from || prefix % density.every != 0 && prefix != ops.len() {
            continue;
        }
        let mut tears = vec![Tear::Lost];
        if !pending.is_empty() || journal.before.is_some() {
            tears.push(Tear::Kept);
        }
        if !pending.is_empty() {
            tears.extend([Tear::FirstHalf, Tear::SecondHalf]);
            tears.extend((0..density.mixed).map(|n| Tear::Mixed(prefix as u64 * 1_000_003 + n)));
        }
        let mut seen = BTreeSet::new();
        for tear in tears {
            let (pages, pattern) = torn(&durable, &pending, tear);
            // Few sectors have few ways to be torn: none counts twice.
            if !pending.is_empty() && !seen.insert(pattern) {
                continue;
            }
            let state = State0 { pages, journal: journal.cut(!matches!(tear, Tear::Lost)) };
            judge(state, &format!("after {prefix} of {} operations, {tear:?}", ops.len()))?;
            cuts += 1;
        }
    }
    Ok(cuts)
}

fn apply(op: &Op, durable: &mut Pages, pending: &mut Vec<(usize, Vec<u8>, bool)>, journal: &mut JournalDisk) {
    let mut reach = |reaches: &dyn Fn(usize, bool) -> bool| {
        pending.retain(|(at, bytes, esp)| {
            let reached = reaches(*at / SECTOR, *esp);
            if reached {
                durable.write(*at, bytes);
            }
            !reached
        });
    };
    match op {
        Op::Raw(at, bytes) | Op::Esp(at, bytes) => {
            let esp = matches!(op, Op::Esp(..));
            pending.extend(bytes.chunks(SECTOR).enumerate().map(|(i, s)| (at + i * SECTOR, s.to_vec(), esp)));
        }
        Op::FlushRaw => reach(&|_, esp| !esp),
        Op::SyncFile(folders) => reach(&|sector, esp| esp && !folders.contains(&sector)),
        Op::SyncFolder => reach(&|_, esp| esp),
        Op::Journal(op) => journal.apply(op),
    }
}

/// The disk, and what was chosen for each sector.
fn torn(durable: &Pages, pending: &[(usize, Vec<u8>, bool)], tear: Tear) -> (Pages, Vec<u8>) {
    let mut pages = durable.clone();
    let mut random = Random(match tear {
        Tear::Mixed(seed) => seed,
        _ => 0,
    });
    // What was written to a sector twice may have reached the medium in its first form only.
    let mut versions: BTreeMap<usize, Vec<&Vec<u8>>> = BTreeMap::new();
    for (at, bytes, _) in pending {
        versions.entry(*at).or_default().push(bytes);
    }
    let mut pattern = Vec::new();
    for (at, versions) in versions {
        let last = versions.len() - 1;
        let (part, version) = match tear {
            Tear::Lost => (0, last),
            Tear::Kept => (3, last),
            Tear::FirstHalf => (1, last),
            Tear::SecondHalf => (2, last),
            Tear::Mixed(_) => {
                let choice = random.next() as usize;
                ([0, 0, 0, 3, 3, 3, 1, 2][choice % 8], (choice >> 8) % versions.len())
            }
        };
        let (bytes, half) = (versions[version], SECTOR / 2);
        match part {
            0 => {}
            1 => pages.write(at, &bytes[..half]),
            2 => pages.write(at + half, &bytes[half..]),
            _ => pages.write(at, bytes),
        }
        pattern.push(part | if part == 0 { 0 } else { (version as u8) << 2 });
    }
    (pages, pattern)
}
