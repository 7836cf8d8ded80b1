//! A run: read, decide, make, commit.

use crate::Error;
use crate::clock::UnixTime;
use crate::issue::issue;
use crate::node::Node;
use crate::plan::plan;
use crate::state::State;

/// What a run did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One line a thing that was done.
    pub lines: Vec<String>,
    /// What people must do; the run has failed if there is any.
    pub refusals: Vec<String>,
}

/// Brings the folder to what this node must have. The caller holds its lock.
pub fn run(state: &State, node: &Node, now: UnixTime) -> Result<Report, Error> {
    state.sweep()?;
    let found = state.read()?;
    let plan = plan(&found, node, now);
    let outcome = issue(&plan, &found, node, now)?;
    state.commit(&outcome.changes)?;
    Ok(Report { lines: outcome.lines, refusals: plan.refusals })
}
