//! The Raspberry Pi's tryboot with A/B boot partitions (Raspberry Pi documentation, "Config.txt", "tryboot" and
//! "tryboot_a_b"): `[tryboot]` counts for one boot, that of `reboot "0 tryboot"`; every other boot follows `[all]`.
//!
//! The firmware ends the trial by itself, so it needs no counter. A trial that was cut cannot be told from one that failed.

use crate::backend::{Autoboot, Backend, Entry};
use crate::observe::Observed;
use crate::plan::Release;
use crate::refusal::Refusal;
use crate::state::Slot;
use crate::step::Step;

/// A/B boot partitions of a Raspberry Pi, by their numbers.
#[derive(Clone, Copy, Debug)]
pub struct RpiTryboot {
    pub boot_a: u8,
    pub boot_b: u8,
}

impl RpiTryboot {
    fn partition(self, slot: Slot) -> u8 {
        match slot {
            Slot::A => self.boot_a,
            Slot::B => self.boot_b,
        }
    }

    /// What stands in the file when `slot` is started always.
    fn always(self, slot: Slot) -> Autoboot {
        Autoboot { always: self.partition(slot), once: self.partition(slot.other()) }
    }
}

fn autoboot(seen: &Observed) -> Result<Autoboot, Refusal> {
    let bytes = seen.boot_bytes.first().map_or(&[][..], Vec::as_slice);
    Autoboot::parse(bytes).map_err(|error| Refusal::BootBytes(error.to_string()))
}

fn write(seen: &Observed, wanted: Autoboot) -> Vec<Step> {
    if autoboot(seen).as_ref() == Ok(&wanted) {
        return Vec::new();
    }
    vec![Step::WriteBootBytes { copy: 0, bytes: wanted.encode() }, Step::FlushBootBytes]
}

impl Backend for RpiTryboot {
    fn entry(&self, seen: &Observed, slot: Slot) -> Entry {
        let Ok(file) = autoboot(seen) else { return Entry::None };
        if file.always == self.partition(slot) {
            return Entry::Blessed;
        }
        let armed = seen.journal.as_ref().ok().and_then(|journal| journal.armed.as_ref());
        let armed = armed.is_some_and(|armed| armed.slot == slot) || seen.running_slot() == Some(slot);
        if armed && file.once == self.partition(slot) { Entry::Trying(1) } else { Entry::None }
    }

    fn counter_moved(&self, _: &Observed) -> Option<String> {
        None
    }

    fn needs_counter(&self) -> bool {
        false
    }

    /// After a torn write both digits may be the same: then nothing could be tried.
    fn settle(&self, seen: &Observed) -> Vec<Step> {
        let slot = |file: Autoboot| Slot::BOTH.into_iter().find(|slot| self.partition(*slot) == file.always);
        match autoboot(seen).ok().and_then(slot) {
            Some(slot) => write(seen, self.always(slot)),
            None => Vec::new(),
        }
    }

    /// Nothing starts it unless it is asked for with the restart.
    fn disarm(&self, _: &Observed, _: Slot) -> Vec<Step> {
        Vec::new()
    }

    fn check_room(&self, seen: &Observed, _: Slot, _: &Release) -> Result<(), Refusal> {
        autoboot(seen).map(drop)
    }

    fn arm(&self, seen: &Observed, slot: Slot, _: &Release) -> Result<Vec<Step>, Refusal> {
        autoboot(seen)?;
        Ok(write(seen, self.always(slot.other())))
    }

    fn bless(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal> {
        autoboot(seen)?;
        Ok(write(seen, self.always(running)))
    }

    /// The older slot is tried once; `[all]` stays.
    fn swap(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal> {
        autoboot(seen)?;
        Ok(write(seen, self.always(running)))
    }

    fn probe(&self, _: &Observed, _: Slot) -> Result<Vec<Step>, Refusal> {
        Ok(Vec::new())
    }
}
