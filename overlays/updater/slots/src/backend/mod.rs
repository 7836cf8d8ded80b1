//! Boot backends: what a boot loader would start, and the steps that change it.

mod autoboot;
mod bls;
mod environment;
mod tryboot;
mod uboot;

pub use autoboot::{Autoboot, AutobootError};
pub use bls::BlsCount;
pub use environment::{Environment, EnvironmentError, Pair};
pub use tryboot::RpiTryboot;
pub use uboot::UbootEnv;

use crate::observe::Observed;
use crate::plan::Release;
use crate::refusal::Refusal;
use crate::state::Slot;
use crate::step::Step;

/// What a boot loader has of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It would not start it.
    None,
    /// It would, so many times.
    Trying(u32),
    /// It would only if nothing else is left.
    Exhausted,
    /// It would for ever.
    Blessed,
}

/// A boot loader. Every function is pure: bytes that were read go in, steps come out.
pub trait Backend {
    /// What the loader has of a slot.
    fn entry(&self, seen: &Observed, slot: Slot) -> Entry;

    /// The trace by which the loader's counter is known to move on this machine.
    fn counter_moved(&self, seen: &Observed) -> Option<String>;

    /// Whether an update needs that trace. Not where the trial ends by itself.
    fn needs_counter(&self) -> bool;

    /// Cleans up after a cut. Nothing that is still needed goes.
    fn settle(&self, seen: &Observed) -> Vec<Step>;

    /// The loader starts the slot no more. May be asked of the running slot only if the other is blessed.
    fn disarm(&self, seen: &Observed, slot: Slot) -> Vec<Step>;

    /// Whether there is room to arm and later bless `release` once `target` is disarmed.
    ///
    /// # Errors
    /// There is not.
    fn check_room(&self, seen: &Observed, target: Slot, release: &Release) -> Result<(), Refusal>;

    /// The loader tries the slot from the next boot on. The slot is verified and disarmed.
    ///
    /// # Errors
    /// The release would not be started.
    fn arm(&self, seen: &Observed, slot: Slot, release: &Release) -> Result<Vec<Step>, Refusal>;

    /// The running slot needs no tries any more.
    ///
    /// # Errors
    /// No room.
    fn bless(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal>;

    /// The other slot is started from the next boot on, with tries; the running one stays as what is left if they run
    /// out. Both are blessed.
    ///
    /// # Errors
    /// No room.
    fn swap(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal>;

    /// The running slot gets tries again, so that the next boot shows whether the counter moves.
    ///
    /// # Errors
    /// No room.
    fn probe(&self, seen: &Observed, running: Slot) -> Result<Vec<Step>, Refusal>;
}
