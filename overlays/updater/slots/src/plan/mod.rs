//! Plans: from what was seen to what is to be done. Nothing here reads or writes.

mod bless;
mod install;
mod recover;
mod rollback;

pub use bless::{plan_bless, plan_mark_bad, plan_probe};
pub use install::{Policy, plan_install};
pub use recover::plan_recover;
pub use rollback::plan_rollback;

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::digest::RootHash;
use crate::observe::Observed;
use crate::refusal::Refusal;
use crate::state::Slot;
use crate::step::Blob;

/// A verified release, as far as slots need to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub version: String,
    pub root_hash: RootHash,
    pub root: Blob,
    pub verity: Blob,
    pub uki: Blob,
}

/// The running slot, if no cut has left anything to be cleaned up.
fn settled(seen: &Observed, backend: &dyn Backend) -> Result<Slot, Refusal> {
    let running = running(seen)?;
    if !plan_recover(seen, backend)?.is_empty() {
        return Err(Refusal::Unsettled);
    }
    Ok(running)
}

fn running(seen: &Observed) -> Result<Slot, Refusal> {
    if let (Err(error), Err(_)) = (&seen.primary, &seen.backup) {
        return Err(Refusal::NoTable(error.clone()));
    }
    for label in Slot::BOTH.into_iter().flat_map(|slot| [slot.root_label(), slot.verity_label()]) {
        if seen.gpt().and_then(|gpt| gpt.extent(label)).is_none() {
            return Err(Refusal::NoPartition(label));
        }
    }
    seen.running_slot().ok_or(Refusal::RunningUnknown(seen.running))
}

/// For messages: the version of a slot, or what else it is known by.
fn version(seen: &Observed, slot: Slot) -> String {
    let hash = || seen.root_hash(slot).map_or("of nothing".to_owned(), |hash| hash.to_string());
    seen.version(slot).map_or_else(hash, str::to_owned)
}
