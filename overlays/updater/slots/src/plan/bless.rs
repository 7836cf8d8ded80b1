use crate::backend::{Backend, Entry};
use crate::journal::Event;
use crate::observe::Observed;
use crate::plan::{settled, version};
use crate::refusal::Refusal;
use crate::step::Step;

/// The running system is healthy: its tries end. To be asked after every healthy boot; empty if nothing is to do.
///
/// # Errors
/// Why that cannot be done.
pub fn plan_bless(seen: &Observed, backend: &dyn Backend) -> Result<Vec<Step>, Refusal> {
    let running = settled(seen, backend)?;
    match backend.entry(seen, running) {
        // A loader that counts every boot is put back.
        Entry::Blessed => backend.bless(seen, running),
        Entry::None => Err(Refusal::RunningHasNoEntry),
        Entry::Trying(_) | Entry::Exhausted => {
            let mut steps = backend.bless(seen, running)?;
            let version = version(seen, running);
            steps.push(Step::Record(Event::Blessed { slot: running, version }));
            Ok(steps)
        }
    }
}

/// The running system is on trial and will not become healthy: it is not to be started again. Restart afterwards.
///
/// # Errors
/// It is blessed, or there is nothing else to start.
pub fn plan_mark_bad(seen: &Observed, backend: &dyn Backend, reason: &str) -> Result<Vec<Step>, Refusal> {
    let running = settled(seen, backend)?;
    let (version, other) = (version(seen, running), running.other());
    if backend.entry(seen, running) == Entry::Blessed {
        return Err(Refusal::RunningBlessed { version });
    }
    if backend.entry(seen, other) != Entry::Blessed {
        return Err(Refusal::NothingElse { state: seen.state(backend, other).to_string() });
    }
    let root_hash = Some(seen.running);
    let mut steps = vec![Step::Record(Event::Failed { version, root_hash, reason: reason.to_owned() })];
    steps.extend(backend.disarm(seen, running));
    Ok(steps)
}

/// Gives the running system tries, so that the next boot shows whether this firmware's counter moves. Restart afterwards;
/// health blesses it again.
///
/// # Errors
/// Why that cannot be done.
pub fn plan_probe(seen: &Observed, backend: &dyn Backend) -> Result<Vec<Step>, Refusal> {
    let running = settled(seen, backend)?;
    let version = version(seen, running);
    if backend.entry(seen, running) != Entry::Blessed {
        return Err(Refusal::RunningNotBlessed { version });
    }
    let mut steps = vec![Step::Record(Event::Probed(version))];
    steps.extend(backend.probe(seen, running)?);
    Ok(steps)
}
