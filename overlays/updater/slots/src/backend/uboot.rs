//! U-Boot with tries in its environment, by the variables that RAUC's documentation ("Integration", "U-Boot") and its boot
//! script have: `BOOT_ORDER` (slots, the first is started), `BOOT_A_LEFT`, `BOOT_B_LEFT`. The script takes the first slot of
//! the order that has tries left, counts one down, saves the environment, and starts it.
//!
//! Every slot is counted, blessed or not, so blessed is a number beyond that of a trial, and health puts it back after each
//! boot. One digit: U-Boot's `setexpr` counts in hexadecimal, its `test` does not.

use crate::backend::{Backend, Entry, Pair};
use crate::observe::Observed;
use crate::plan::Release;
use crate::refusal::Refusal;
use crate::state::Slot;
use crate::step::Step;

const TRIES: u32 = 3;
const BLESSED: u32 = 9;

/// U-Boot's redundant environment.
#[derive(Clone, Copy, Debug)]
pub struct UbootEnv;

fn left_name(slot: Slot) -> &'static str {
    match slot {
        Slot::A => "BOOT_A_LEFT",
        Slot::B => "BOOT_B_LEFT",
    }
}

fn pair(seen: &Observed) -> Result<Pair, Refusal> {
    Pair::parse(&seen.boot_bytes).map_err(|error| Refusal::BootBytes(error.to_string()))
}

fn order(pair: &Pair) -> Vec<Slot> {
    let words = pair.environment.get("BOOT_ORDER").unwrap_or("A B").split_ascii_whitespace();
    words.filter_map(|word| Slot::BOTH.into_iter().find(|slot| slot.to_string() == word)).collect()
}

fn left(pair: &Pair, slot: Slot) -> u32 {
    // As in the script: what is not there is three.
    pair.environment.get(left_name(slot)).map_or(TRIES, |text| text.parse().unwrap_or(0))
}

/// One write of the copy that does not count.
fn change(seen: &Observed, order: &[Slot], left: &[(Slot, u32)]) -> Result<Vec<Step>, Refusal> {
    let order: Vec<String> = order.iter().map(Slot::to_string).collect();
    let order = order.join(" ");
    let numbers: Vec<(&str, String)> =
        left.iter().map(|(slot, n)| (left_name(*slot), n.to_string())).collect();
    let mut changes = vec![("BOOT_ORDER", order.as_str())];
    changes.extend(numbers.iter().map(|(name, number)| (*name, number.as_str())));
    let changed = pair(seen)?.changed(&changes);
    let (copy, bytes) = changed.map_err(|error| Refusal::BootBytes(error.to_string()))?;
    Ok(vec![Step::WriteBootBytes { copy, bytes }, Step::FlushBootBytes])
}

/// The slots that are started after `first`.
fn rest(seen: &Observed, first: Slot) -> Result<Vec<Slot>, Refusal> {
    let pair = pair(seen)?;
    let other = first.other();
    Ok(if order(&pair).contains(&other) && left(&pair, other) > 0 { vec![first, other] } else { vec![first] })
}

impl Backend for UbootEnv {
    fn entry(&self, seen: &Observed, slot: Slot) -> Entry {
        let Ok(pair) = pair(seen) else { return Entry::None };
        match left(&pair, slot) {
            _ if !order(&pair).contains(&slot) => Entry::None,
            0 => Entry::Exhausted,
            left if left <= TRIES => Entry::Trying(left),
            _ => Entry::Blessed,
        }
    }

    fn counter_moved(&self, seen: &Observed) -> Option<String> {
        let (pair, slot) = (pair(seen).ok()?, seen.running_slot()?);
        let left = left(&pair, slot);
        // Numbers that we never write.
        (![0, TRIES, BLESSED].contains(&left)).then(|| format!("{}={left}", left_name(slot)))
    }

    fn needs_counter(&self) -> bool {
        true
    }

    /// A torn copy is the one that the next change writes.
    fn settle(&self, _: &Observed) -> Vec<Step> {
        Vec::new()
    }

    fn disarm(&self, seen: &Observed, slot: Slot) -> Vec<Step> {
        if self.entry(seen, slot) == Entry::None {
            return Vec::new();
        }
        change(seen, &[slot.other()], &[(slot, 0)]).unwrap_or_default()
    }

    fn check_room(&self, seen: &Observed, target: Slot, release: &Release) -> Result<(), Refusal> {
        self.arm(seen, target, release).map(drop)
    }

    /// The environment's copies trade places at each write: the step is made from what [`Backend::disarm`] leaves.
    fn arm(&self, seen: &Observed, slot: Slot, _: &Release) -> Result<Vec<Step>, Refusal> {
        let mut disarmed = seen.clone();
        for step in self.disarm(seen, slot) {
            if let Step::WriteBootBytes { copy, bytes } = step {
                disarmed.boot_bytes[copy] = bytes;
            }
        }
        change(&disarmed, &[slot, slot.other()], &[(slot, TRIES)])
    }

    fn bless(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal> {
        let order_now = rest(seen, running)?;
        let pair = pair(seen)?;
        if left(&pair, running) == BLESSED && order(&pair) == order_now {
            return Ok(Vec::new());
        }
        change(seen, &order_now, &[(running, BLESSED)])
    }

    fn swap(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal> {
        change(seen, &[running.other(), running], &[(running.other(), TRIES), (running, BLESSED)])
    }

    /// The counter moves at every boot.
    fn probe(&self, _: &Observed, _: Slot) -> Result<Vec<Step>, Refusal> {
        Ok(Vec::new())
    }
}
