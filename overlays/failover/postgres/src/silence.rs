//! Whether a server that does not answer hangs, or has too much to do: killing one that works, and has more to do after each start,
//! keeps it from ever coming up.

use std::time::{Duration, Instant};

/// Of the time that it is watched, it worked for less than one part in this many if it hangs.
const SHARE: u32 = 50;
/// After so many times that long it is stopped in any case.
const LONGEST: u32 = 10;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Silence {
    since: Instant,
    /// It is watched from here on.
    watched: Instant,
    /// Processor time that its processes had used up then.
    work: Duration,
}

impl Silence {
    pub fn begin(now: Instant, work: Duration) -> Self {
        Silence { since: now, watched: now, work }
    }

    /// `work`: processor time that its processes have used up; `hang`: for so long it is watched.
    pub fn hangs(&mut self, now: Instant, work: Duration, hang: Duration) -> bool {
        if now.duration_since(self.watched) < hang {
            return false;
        }
        // Of processes that ended since nothing is known any more: others work then.
        let idle = work >= self.work && work - self.work < hang / SHARE;
        if idle || now.duration_since(self.since) >= hang * LONGEST {
            return true;
        }
        (self.watched, self.work) = (now, work);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANG: Duration = Duration::from_secs(30);

    #[test]
    fn a_server_that_does_nothing_hangs() {
        let begun = Instant::now();
        let mut silence = Silence::begin(begun, Duration::from_secs(7));
        let work = Duration::from_millis(7400);
        assert!(!silence.hangs(begun + HANG / 2, work, HANG));
        assert!(silence.hangs(begun + HANG, work, HANG));
    }

    #[test]
    fn a_server_that_works_has_time() {
        let begun = Instant::now();
        let mut silence = Silence::begin(begun, Duration::ZERO);
        for second in 1..300 {
            let work = Duration::from_millis(30) * second;
            assert!(!silence.hangs(begun + Duration::from_secs(1) * second, work, HANG), "{second} s");
        }
        assert!(silence.hangs(begun + 10 * HANG, Duration::from_secs(9), HANG));
    }

    #[test]
    fn what_stops_after_a_while_hangs() {
        let begun = Instant::now();
        let mut silence = Silence::begin(begun, Duration::ZERO);
        let work = Duration::from_secs(20);
        assert!(!silence.hangs(begun + HANG, work, HANG));
        assert!(silence.hangs(begun + 2 * HANG, work, HANG));
    }
}
