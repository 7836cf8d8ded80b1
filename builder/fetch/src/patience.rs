use std::time::Duration;

/// How patient a download is. There is no limit for the whole of it: a slow link that moves is a good link.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection, with all its handshakes.
    pub connect: Duration,
    /// For the next bytes of an answer.
    pub stall: Duration,
    /// Failures in a row until a mirror is given up. A failure after which [`Patience::STEP`] bytes more are there
    /// than ever before is the first of a new row.
    pub tries: u32,
    /// Pause after the first failure; it doubles with each of the row.
    pub pause: Duration,
}

impl Patience {
    /// So many bytes are progress; fewer, again and again, are a mirror that keeps us waiting.
    pub const STEP: u64 = 1 << 16;

    pub(crate) fn pause_after(&self, failures: u32) -> Duration {
        self.pause * 2u32.saturating_pow(failures.saturating_sub(1)).min(16)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            connect: Duration::from_secs(20),
            stall: Duration::from_secs(30),
            tries: 4,
            pause: Duration::from_millis(500),
        }
    }
}
