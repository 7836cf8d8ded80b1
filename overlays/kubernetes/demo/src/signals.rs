//! SIGTERM and SIGINT, waited for in one thread.

use std::io;

/// The two signals, blocked in this thread and in those that it starts from now on.
pub struct Stop(libc::sigset_t);

impl Stop {
    pub fn block() -> io::Result<Stop> {
        // SAFETY: a set is plain numbers, and sigemptyset(3) makes it one before anybody reads it.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            libc::sigaddset(&raw mut set, libc::SIGINT);
            match libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) {
                0 => Ok(Stop(set)),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        }
    }

    /// Comes back when one of them has come.
    pub fn wait(&self) {
        let mut signal = 0;
        // SAFETY: both pointers lead to values of this thread.
        unsafe { libc::sigwait(&raw const self.0, &raw mut signal) };
    }
}
