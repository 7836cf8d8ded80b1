//! Why the boot cannot go on: the step and the reason.

use core::fmt;

use alloc::format;
use alloc::string::{String, ToString};
use rustix::io::Errno;

/// A step that failed; its text is the one line that people see.
#[derive(Debug)]
pub struct Failure {
    step: &'static str,
    reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.reason)
    }
}

/// Names the step that an error belongs to.
pub trait Step<T> {
    /// `step` is what was being done, in a few words.
    fn step(self, step: &'static str) -> Result<T, Failure>;
}

impl<T, E: fmt::Display> Step<T> for Result<T, E> {
    fn step(self, step: &'static str) -> Result<T, Failure> {
        self.map_err(|reason| Failure { step, reason: reason.to_string() })
    }
}

/// Names what an error of the kernel belongs to.
pub trait About<T> {
    /// `what` is a path, or what was tried with it.
    fn about(self, what: impl fmt::Display) -> Result<T, String>;
}

impl<T> About<T> for Result<T, Errno> {
    fn about(self, what: impl fmt::Display) -> Result<T, String> {
        self.map_err(|error| format!("{what}: {}", text(error)))
    }
}

/// Words for the errors that a boot may meet; there is no C library to have them.
pub fn text(error: Errno) -> String {
    let words = match error {
        Errno::PERM => "operation not permitted",
        Errno::NOENT => "no such file",
        Errno::IO => "input/output error",
        Errno::NXIO => "no such device or address",
        Errno::NOEXEC => "not a program that this machine can run",
        Errno::NOMEM => "out of memory",
        Errno::ACCESS => "permission denied",
        Errno::BUSY => "busy",
        Errno::EXIST => "exists already",
        Errno::NODEV => "no such device, or no driver for it",
        Errno::NOTDIR => "not a folder",
        Errno::INVAL => "invalid argument",
        Errno::NOSPC => "no space left",
        Errno::ROFS => "read-only",
        Errno::UCLEAN => "damaged file system",
        Errno::KEYREJECTED => "signature rejected",
        _ => return error.to_string(),
    };
    words.to_string()
}
