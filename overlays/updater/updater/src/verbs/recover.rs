//! Cleans up after a cut.

use crate::machine::{Access, Host, Machine};
use crate::supply::Tell;
use crate::verbs::{Failure, PATIENCE};

/// # Errors
/// The disk is not one that this could be done on.
pub fn run(host: &Host, tell: &Tell) -> Result<(), Failure> {
    let mut machine = Machine::open(host, "recover", Access::Change, PATIENCE)?;
    let (done, _) = machine.recover()?;
    if done.is_empty() {
        tell("nothing to clean up");
    }
    done.iter().for_each(|line| tell(&format!("recovered: {line}")));
    Ok(())
}
