//! One file a verb.

pub mod bless;
pub mod check;
pub mod history;
pub mod install;
pub mod probe;
pub mod recover;
mod restart;
pub mod rollback;
pub mod session;
pub mod status;
mod supplied;
pub mod watch;

use std::error::Error;
use std::time::Duration;

use geminios_slots::{Observed, Refusal, RunError};

use crate::args::Verb;
use crate::machine::{Host, Machine, MachineError};
use crate::supply::Tell;
use crate::verbs::session::{Problem, status as exit};

/// How long a person waits for another updater to finish before being told of it.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Why a verb did not do what it was asked for. Its text ends with what a person can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Supply(Box<Problem>),
    #[error("{0}")]
    Unhealthy(String),
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// Exit status of the program.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Supply(problem) => problem.status(),
            Failure::Refused(_) | Failure::Machine(MachineError::Refused(_)) => exit::REFUSED,
            _ => exit::FAILED,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Supply(Box::new(problem))
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Failure::Machine(error.into())
    }
}

/// Does what was asked for, says what it does, and gives the exit status.
///
/// # Errors
/// It could not, or refused to.
pub fn run(host: &Host, verb: &Verb, tell: &Tell) -> Result<u8, Failure> {
    let done = match verb {
        Verb::Check(asked) => return supplied::check(host, asked, tell),
        Verb::Install(asked) => return supplied::install(host, asked, tell),
        Verb::Status { format } => status::run(host, *format, tell),
        Verb::Rollback => rollback::run(host, tell),
        Verb::Bless { now } => bless::run(host, *now, tell),
        Verb::History { format } => history::run(host, *format, tell),
        Verb::Recover => recover::run(host, tell),
        Verb::Probe => probe::run(host, tell),
        Verb::Watch => watch::run(host, tell),
        Verb::Help | Verb::Version => Ok(()),
    };
    done.map(|()| exit::DONE)
}

/// Cleans up first, as every verb that changes something does, and says what was cleaned up.
pub(crate) fn recovered(machine: &mut Machine, tell: &Tell) -> Result<Observed, MachineError> {
    let (done, seen) = machine.recover()?;
    for line in done {
        tell(&format!("recovered: {line}"));
    }
    Ok(seen)
}
