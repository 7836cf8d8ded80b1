//! Finds out whether this firmware's boot counter moves.

use geminios_slots::plan_probe;

use crate::machine::{Access, Host, Machine};
use crate::supply::Tell;
use crate::verbs::{Failure, PATIENCE, recovered};

/// # Errors
/// The running version is not blessed.
pub fn run(host: &Host, tell: &Tell) -> Result<(), Failure> {
    let mut machine = Machine::open(host, "probe", Access::Change, PATIENCE)?;
    let seen = recovered(&mut machine, tell)?;
    let steps = plan_probe(&seen, &*machine.backend)?;
    machine.run(&steps)?;
    tell("the next start of this version is a trial; health blesses it again");
    tell("restart the machine, then see `geminios-updater status` for the boot counter");
    Ok(())
}
