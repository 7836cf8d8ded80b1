//! Cleans up after a cut.

use crate::machine::{Access, Host, Machine};
use crate::supply::Tell;
use crate::verbs::{Failure, PATIENCE, recovered};

/// # Errors
/// The disk is not one that this could be done on.
pub fn run(host: &Host, tell: &Tell) -> Result<(), Failure> {
    let mut machine = Machine::open(host, "recover", Access::Change, PATIENCE)?;
    let before = machine.observe()?;
    let seen = recovered(&mut machine, tell)?;
    if seen == before {
        tell("nothing to clean up");
    }
    Ok(())
}
