//! Time, which tests make up.

use std::time::{Duration, SystemTime};

use geminios_update_format::UnixTime;
use rustix::time::{ClockId, clock_gettime};

/// What the time is, and waiting.
pub trait Clock {
    /// As the device's clock says; it may be wrong by decades.
    fn now(&self) -> UnixTime;
    /// Since the machine started. It never goes back, and no setting of the clock moves it.
    fn uptime(&self) -> Duration;
    fn sleep(&self, time: Duration);
}

/// The kernel's.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
    }

    fn uptime(&self) -> Duration {
        let time = clock_gettime(ClockId::Monotonic);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
