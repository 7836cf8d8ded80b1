//! Who runs the postmaster.

mod direct;
mod systemd;

pub use direct::Direct;
pub use systemd::Systemd;

use crate::Error;

/// How PostgreSQL is told to stop. Each is harder than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// SIGINT: sessions end, a checkpoint is made, standbys get all of it.
    Fast,
    /// SIGQUIT: at once, with recovery at the next start.
    Immediate,
    /// SIGKILL for each process. It ends hung ones too, but for those in the kernel.
    Kill,
}

/// What runs the postmaster. None of these waits for the outcome; each may be called again.
pub trait Service: Send {
    /// # Errors
    /// It could not be begun.
    fn start(&mut self) -> Result<(), Error>;

    /// # Errors
    /// It could not be begun.
    fn stop(&mut self, how: Stop) -> Result<(), Error>;

    /// Whether it runs, starts, stops, or would start again by itself.
    ///
    /// # Errors
    /// It is not known.
    fn is_running(&mut self) -> Result<bool, Error>;
}
