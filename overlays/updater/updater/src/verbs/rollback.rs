//! Back to the older version in the other slot.

use geminios_slots::{Observed, Slot, plan_rollback};

use crate::machine::{Access, Host, Machine};
use crate::supply::Tell;
use crate::verbs::{Failure, PATIENCE, recovered};

/// # Errors
/// There is no older version that would start.
pub fn run(host: &Host, tell: &Tell) -> Result<(), Failure> {
    let mut machine = Machine::open(host, "rollback", Access::Change, PATIENCE)?;
    let seen = recovered(&mut machine, tell)?;
    let steps = plan_rollback(&seen, &*machine.backend)?;
    let (from, to) = versions(&seen);
    machine.run(&steps)?;
    tell(&format!("the next start is version {to}; if it does not become healthy, {from} comes back"));
    tell(&format!("{from} is not installed again by itself"));
    tell("restart the machine: systemctl reboot");
    Ok(())
}

fn versions(seen: &Observed) -> (String, String) {
    let version =
        |slot: Option<Slot>| slot.and_then(|slot| seen.version(slot)).unwrap_or("unknown").to_owned();
    let running = seen.running_slot();
    (version(running), version(running.map(Slot::other)))
}
