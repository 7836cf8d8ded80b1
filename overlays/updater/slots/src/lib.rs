//! Slots of a device: what is in them, which changes are allowed, and the order of writes that survives a cut of power at
//! any instant.
//!
//! Decide, then act. [`observe`] reads the disk, a function of [`plan`] answers with steps or a [`Refusal`], [`run`] does
//! the steps and chooses nothing. No clock, no network, no random numbers; disks and file systems come as traits.
//!
//! README.md beside this crate has the states, the order of the steps and why each stands where it does.
#![forbid(unsafe_code)]

pub mod backend;
mod crc;
pub mod device;
pub mod digest;
mod execute;
pub mod gpt;
pub mod journal;
pub mod name;
mod observe;
pub mod plan;
mod refusal;
mod state;
mod step;
pub mod uki;
mod verity;
pub mod version;

pub use backend::{Backend, BlsCount};
pub use digest::{RootHash, Sha256Sum};
pub use execute::{Cause, PROGRESS, RunError, run};
pub use journal::{Event, Journal};
pub use observe::{Observed, UkiFile, observe};
pub use plan::{Release, plan_bless, plan_install, plan_mark_bad, plan_probe, plan_recover, plan_rollback};
pub use refusal::Refusal;
pub use state::{Slot, State};
pub use step::{Blob, Done, Extent, Image, Step};
