use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Ends what waits in another thread: all that got a clone stop at once, and stay stopped.
#[derive(Clone, Debug)]
pub struct Cancel {
    event: Arc<OwnedFd>,
}

impl Cancel {
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Cancel { event: Arc::new(event) })
    }

    pub fn cancel(&self) {
        // Only fails when the counter is full, and then it is readable, which is all that counts.
        let _ = rustix::io::write(&*self.event, &1_u64.to_ne_bytes());
    }

    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        wait(&mut [PollFd::new(self, PollFlags::IN)], Some(Duration::ZERO))
    }

    /// Waits so long, or until it is cancelled: true then.
    pub fn sleep(&self, duration: Duration) -> bool {
        let until = Instant::now() + duration;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if wait(&mut [PollFd::new(self, PollFlags::IN)], Some(left)) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
        }
    }

    /// For a signal that is used again and again.
    pub(crate) fn clear(&self) {
        let _ = rustix::io::read(&*self.event, &mut [0_u8; 8]);
    }
}

impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Whether one of them is ready within `timeout`. May return early with false.
pub(crate) fn wait(files: &mut [PollFd<'_>], timeout: Option<Duration>) -> bool {
    let timeout = timeout.map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    });
    matches!(poll(files, timeout.as_ref()), Ok(ready) if ready > 0)
}
