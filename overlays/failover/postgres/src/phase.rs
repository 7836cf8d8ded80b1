use std::time::SystemTime;

use crate::{Kept, Lsn, Stop};

/// What the driver begins or sees, for the timeline of a failover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Initializing,
    Starting {
        standby: bool,
    },
    Stopping(Stop),
    Stopped,
    Promoting,
    Promoted {
        timeline: u32,
    },
    KeepingFork,
    ForkKept(Kept),
    Rewinding,
    Rewound,
    BaseBackup {
        percent: u8,
    },
    BaseBackupDone,
    /// As a standby.
    Streaming {
        timeline: u32,
    },
    /// As a leader: commits begin to wait for the standby.
    Waiting,
    /// As a leader: each commit waits for the standby, and it has all that was committed before.
    Synchronous,
    /// As a leader: commits do not wait any more.
    Alone,
    /// The server gives no answer.
    Hung,
    /// It is tried again.
    Failed(String),
}

/// When a phase began.
#[derive(Clone, Debug)]
pub struct Moment {
    pub phase: Phase,
    /// Milliseconds of CLOCK_BOOTTIME, as the core counts them.
    pub at: geminios_failover_core::Instant,
    /// For people.
    pub wall: SystemTime,
}

impl Moment {
    pub(crate) fn now(phase: Phase) -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let at = time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000;
        Moment { phase, at, wall: SystemTime::now() }
    }
}

/// Figures, as of the last look at a server that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    pub timeline: Option<u32>,
    /// Of a leader the end of its log, of a standby of what it received.
    pub end: Lsn,
    /// Of a standby, the end of what it replayed.
    pub replayed: Lsn,
    /// Of a leader, what its standby flushed, and replayed.
    pub standby_flushed: Option<Lsn>,
    pub standby_replayed: Option<Lsn>,
    /// Bytes that the standby has not flushed yet; of a standby, bytes not replayed yet.
    pub lag: u64,
    /// Commits wait for the standby.
    pub sync: bool,
}
