//! The client: what to fetch next, what to believe of it, and what to keep (TUF 5, "Detailed client workflow").
//!
//! ```text
//! let mut client = Client::start(state, clock, built);
//! let mut step = client.step();
//! loop: Step::Fetch(fetch) => step = client.take(&bytes)?        at most fetch.max_length bytes, from metadata/NAME
//!                             step = client.absent()?            the server says that it has no such file
//!       Step::Done(trusted) => what may be installed
//! After every step, and also after an error: write client.state() atomically.
//! ```
//! An error ends the run; the next run begins from the kept state. Nothing that was refused is in that state.

mod state;
mod steps;
mod trusted;

pub use state::State;
pub use trusted::{Listed, Trusted};

use crate::error::{Error, Now};
use crate::metadata::{Hashes, Meta};
use crate::time::UnixTime;

/// Most new roots in one run (Y of TUF 5.3.3). The next run goes on from there.
pub const ROOTS: u32 = 256;

/// One run of the workflow.
#[derive(Debug)]
pub struct Client {
    state: State,
    now: Now,
    built: UnixTime,
    stage: Stage,
    roots: u32,
}

#[derive(Debug)]
enum Stage {
    Root,
    Timestamp,
    Snapshot(Meta),
    Targets(Meta),
    Over,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    Fetch(Fetch),
    Done(Trusted),
}

/// A file to fetch from the folder `metadata/` of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    pub name: String,
    /// Bytes. The caller stops reading beyond it (endless data); it also sets a lowest speed (slow retrieval).
    pub max_length: u64,
    /// A file kept from an earlier run may be taken instead, if these are its hashes. It is checked like any other.
    pub hashes: Option<Hashes>,
    /// A server that does not have it means: there is no newer root.
    pub optional: bool,
}

impl Client {
    /// `clock` is what the device's clock says, fixed for this run (TUF 5.1); `built` is when the running image was built.
    ///
    /// Judged by the later of clock and floor, where the floor is the latest time that signed data proves to have passed.
    /// A clock of 1970 is therefore no error. The floor never follows the clock: one wrong clock must not last.
    pub fn start(state: State, clock: UnixTime, built: UnixTime) -> Self {
        let now = Now { clock, floor: state.floor().max(built) };
        Client { state, now, built, stage: Stage::Root, roots: 0 }
    }

    /// What is trusted now; to be kept after every step.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What to fetch first.
    pub fn step(&self) -> Step {
        match &self.stage {
            Stage::Timestamp => Step::Fetch(steps::timestamp()),
            Stage::Snapshot(meta) => Step::Fetch(steps::snapshot(meta)),
            Stage::Targets(meta) => Step::Fetch(steps::targets(meta)),
            Stage::Root | Stage::Over => Step::Fetch(steps::root(&self.state)),
        }
    }

    /// The bytes that were asked for.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Step, Error> {
        let done = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Root => self.root(bytes)?,
            Stage::Timestamp => self.timestamp(bytes)?,
            Stage::Snapshot(meta) => self.snapshot(&meta, bytes)?,
            Stage::Targets(meta) => return self.targets(&meta, bytes).map(Step::Done),
            Stage::Over => return Err(Error::Over),
        };
        self.stage = done;
        Ok(self.step())
    }

    /// The server has no such file.
    pub fn absent(&mut self) -> Result<Step, Error> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Root => self.stage = self.last_root()?,
            Stage::Timestamp => return Err(missing(steps::timestamp())),
            Stage::Snapshot(meta) => return Err(missing(steps::snapshot(&meta))),
            Stage::Targets(meta) => return Err(missing(steps::targets(&meta))),
            Stage::Over => return Err(Error::Over),
        }
        Ok(self.step())
    }
}

fn missing(fetch: Fetch) -> Error {
    Error::Missing { file: fetch.name }
}
