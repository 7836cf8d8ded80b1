use std::cmp::Ordering;

use crate::backend::{Backend, Entry};
use crate::journal::Event;
use crate::observe::Observed;
use crate::plan::bless::plan_mark_bad;
use crate::plan::{settled, version};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::version::compare;

/// Back to the older version in the other slot. Restart afterwards. The older one gets tries: if it does not come up (its
/// data may be of the newer), the newer one is started again.
///
/// # Errors
/// There is no older version that would start.
pub fn plan_rollback(seen: &Observed, backend: &dyn Backend) -> Result<Vec<Step>, Refusal> {
    let running = settled(seen, backend)?;
    let other = running.other();
    if !matches!(backend.entry(seen, other), Entry::Blessed | Entry::Trying(_)) {
        return Err(Refusal::NothingElse { state: seen.state(backend, other).to_string() });
    }
    if let (Some(there), Some(here)) = (seen.version(other), seen.version(running)) {
        if compare(there, here) != Ordering::Less {
            return Err(Refusal::NothingOlder);
        }
    }
    if backend.entry(seen, running) != Entry::Blessed {
        return plan_mark_bad(seen, backend, "rolled back while on trial");
    }
    let (from, to) = (version(seen, running), version(seen, other));
    let root_hash = Some(seen.running);
    let mut steps = vec![
        Step::Record(Event::RolledBack { from: from.clone(), to }),
        // Not installed again by itself.
        Step::Record(Event::Failed { version: from, root_hash, reason: "it was rolled back".to_owned() }),
    ];
    steps.extend(backend.swap(seen, running)?);
    Ok(steps)
}
