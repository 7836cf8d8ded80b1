//! The updater's life, as the device program will have it: recover first, then go on; one boot after the other.

use geminios_slots::plan::Policy;
use geminios_slots::{
    BlsCount, Observed, Refusal, RunError, State, Step, observe, plan_bless, plan_install, plan_probe,
    plan_recover, plan_rollback, run,
};

use crate::boot::{Booted, boot, files};
use crate::device::{Bytes, Nothing, TestDevice};
use crate::machine::{Faults, Machine, Pages};
use crate::world::System;

/// A machine between two boots.
#[derive(Clone)]
pub struct State0 {
    pub pages: Pages,
    pub journal: Option<Vec<u8>>,
}

/// A machine that runs.
pub struct Running<'a> {
    pub device: TestDevice,
    pub booted: Booted,
    systems: &'a [&'a System],
}

impl<'a> Running<'a> {
    pub fn new(device: TestDevice, booted: Booted, systems: &'a [&'a System]) -> Self {
        Running { device, booted, systems }
    }
}

pub const NORMAL: Policy = Policy { force: false };

/// What ended a run of the updater.
#[derive(Debug)]
pub enum End {
    Refused(Refusal),
    Failed(RunError),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Refused(refusal) => write!(f, "refused: {refusal}"),
            End::Failed(error) => write!(f, "failed: {error}"),
        }
    }
}

impl State0 {
    pub fn start<'a>(&self, systems: &'a [&'a System]) -> Result<Running<'a>, String> {
        self.start_with(systems, Faults::default())
    }

    pub fn start_with<'a>(&self, systems: &'a [&'a System], faults: Faults) -> Result<Running<'a>, String> {
        let mut pages = self.pages.clone();
        let booted = boot(&mut pages, systems, true)?;
        let device = TestDevice::new(Machine::new(pages, self.journal.clone(), faults));
        Ok(Running { device, booted, systems })
    }
}

impl Running<'_> {
    pub fn system(&self) -> &System {
        self.systems.iter().find(|s| s.version == self.booted.version).unwrap()
    }

    pub fn observe(&mut self) -> Observed {
        let hash = self.system().hash;
        observe(&mut self.device, hash).unwrap()
    }

    pub fn state(&mut self, slot: geminios_slots::Slot) -> State {
        self.observe().state(&BlsCount, slot)
    }

    /// Does what a plan says, the steps changed by `change` first.
    pub fn act(
        &mut self,
        plan: impl Fn(&Observed) -> Result<Vec<Step>, Refusal>,
        change: &dyn Fn(Vec<Step>) -> Vec<Step>,
        source: Option<&System>,
    ) -> Result<Vec<Step>, End> {
        let hash = self.system().hash;
        let io =
            |error| End::Failed(RunError { step: "observe".into(), cause: geminios_slots::Cause::Io(error) });
        let seen = observe(&mut self.device, hash).map_err(io)?;
        let steps = change(plan(&seen).map_err(End::Refused)?);
        match source {
            Some(system) => run(&steps, &mut self.device, &mut Bytes(system)),
            None => run(&steps, &mut self.device, &mut Nothing),
        }
        .map_err(End::Failed)?;
        Ok(steps)
    }

    pub fn recover(&mut self) -> Result<Vec<Step>, End> {
        self.act(|seen| plan_recover(seen, &BlsCount), &|steps| steps, None)
    }

    pub fn bless(&mut self) -> Result<Vec<Step>, End> {
        self.act(|seen| plan_bless(seen, &BlsCount), &|steps| steps, None)
    }

    pub fn install(&mut self, system: &System) -> Result<Vec<Step>, End> {
        let release = system.release();
        self.act(|seen| plan_install(seen, &BlsCount, &release, NORMAL), &|steps| steps, Some(system))
    }

    pub fn rollback(&mut self) -> Result<Vec<Step>, End> {
        self.act(|seen| plan_rollback(seen, &BlsCount), &|steps| steps, None)
    }

    pub fn probe(&mut self) -> Result<Vec<Step>, End> {
        self.act(|seen| plan_probe(seen, &BlsCount), &|steps| steps, None)
    }

    /// An orderly end: all is on the medium.
    pub fn off(&self) -> State0 {
        let machine = self.device.machine.borrow();
        let pages = machine.medium.as_ref().unwrap_or(&machine.pages).clone();
        State0 { pages, journal: machine.journal.file.clone() }
    }

    /// Recovers, and sees that doing so once is enough.
    pub fn settle(&mut self) -> Result<(), String> {
        self.recover().map_err(|end| format!("recover: {end}"))?;
        let again = plan_recover(&self.observe(), &BlsCount).map_err(|r| format!("recover again: {r}"))?;
        if again.is_empty() { Ok(()) } else { Err(format!("recover is not content with itself: {again:?}")) }
    }
}

/// Boots and updates until `goal` runs blessed; sees that no more is left on the ESP than belongs there.
pub fn finish(mut state: State0, systems: &[&System], goal: &System) -> Result<State0, String> {
    for _ in 0..8 {
        let mut running = state.start(systems)?;
        running.settle()?;
        if running.booted.version == goal.version {
            running.bless().map_err(|end| format!("bless: {end}"))?;
            running.settle()?;
            let state = running.off();
            let again = state.start(systems)?;
            if again.booted.file != format!("geminios_{}.efi", goal.version) {
                return Err(format!("blessed, but {} was started", again.booted.file));
            }
            let left = files(&state.pages);
            if left.len() > 2 || !crate::gpt::valid(&state.pages).iter().all(|valid| *valid) {
                return Err(format!("not clean: {left:?}"));
            }
            return Ok(state);
        }
        match running.install(goal) {
            Ok(_) => {}
            Err(End::Refused(Refusal::AlreadyArmed { .. })) => {}
            Err(End::Refused(Refusal::CounterUnproven)) => {
                running.probe().map_err(|end| format!("probe: {end}"))?;
            }
            Err(End::Refused(Refusal::RunningNotBlessed { .. })) => {
                running.bless().map_err(|end| format!("bless: {end}"))?;
            }
            Err(end) => return Err(format!("install: {end}")),
        }
        state = running.off();
    }
    Err(format!("{} does not get to run blessed", goal.version))
}

/// A machine as it left the factory, after its first healthy boot.
pub fn blessed(first: &System) -> State0 {
    let state = State0 { pages: crate::world::factory(first), journal: None };
    finish(state, &[first], first).unwrap()
}
