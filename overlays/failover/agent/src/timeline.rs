//! The changes of the leader, and when each of their steps was taken.

use geminios_failover_core::{By, Instant, Millis, Postgres, Record, Side, Stored};
use serde::{Deserialize, Serialize};

use crate::agent::Told;

/// Changes that are kept.
const KEPT: usize = 16;

/// One change of the leader, seen by one agent. Times in milliseconds since the machine started; nothing where a step was not taken, or
/// not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub epoch: u64,
    pub leader: Side,
    pub by: By,
    pub alone: bool,
    /// The other node was heard for the last time before.
    pub heard: Option<Instant>,
    /// It counted as lost.
    pub silent: Option<Instant>,
    /// It was to be switched off.
    pub fencing: Option<Instant>,
    /// It was seen to be off.
    pub fenced: Option<Instant>,
    pub decided: Instant,
    /// PostgreSQL takes writes.
    pub promoted: Option<Instant>,
    /// Clients are served.
    pub serves: Option<Instant>,
}

impl Change {
    /// How long each step took that was taken, in their order, and its name.
    #[must_use]
    pub fn phases(&self) -> Vec<(&'static str, Millis)> {
        let steps = [
            ("silent", self.silent),
            ("fencing", self.fencing),
            ("fenced", self.fenced),
            ("decided", Some(self.decided)),
            ("promoted", self.promoted),
            ("serves", self.serves),
        ];
        let mut last = self.heard;
        let mut phases = Vec::new();
        for (name, at) in steps {
            let Some(at) = at else { continue };
            if let Some(last) = last {
                phases.push((name, at.saturating_sub(last)));
            }
            last = Some(at);
        }
        phases
    }
}

/// What happened to the other node since it was heard.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    heard: Option<Instant>,
    silent: Option<Instant>,
    fencing: Option<Instant>,
    fenced: Option<Instant>,
}

#[derive(Clone, Debug)]
pub struct Timeline {
    me: Side,
    epoch: u64,
    lost: Lost,
    changes: Vec<Change>,
    total: u64,
}

impl Timeline {
    /// Of a node that starts with this on its disk.
    #[must_use]
    pub fn start(me: Side, stored: Option<&Stored>) -> Self {
        // What was proposed before may be decided now.
        let epoch = stored.map_or(0, |stored| stored.record.epoch.saturating_sub(u64::from(!stored.decided)));
        Timeline { me, epoch, lost: Lost::default(), changes: Vec::new(), total: 0 }
    }

    pub fn tell(&mut self, at: Instant, told: &Told) {
        match told {
            Told::PeerHeard => self.lost = Lost::default(),
            Told::PeerSilent(time) => {
                self.lost.heard = Some(at.saturating_sub(*time));
                self.lost.silent = Some(at);
            }
            Told::Fencing => self.lost.fencing = Some(at),
            Told::Fenced(true) => self.lost.fenced = Some(at),
            Told::Decided(Stored { record, decided: true, .. }) if record.epoch > self.epoch => {
                self.begin(at, *record);
            }
            Told::Postgres(Postgres::Primary { .. }) => {
                if let Some(change) = self.own().filter(|change| change.promoted.is_none()) {
                    change.promoted = Some(at);
                }
            }
            Told::Serves(Some(epoch)) => {
                if let Some(change) =
                    self.own().filter(|change| change.epoch == *epoch && change.serves.is_none())
                {
                    change.serves = Some(at);
                }
            }
            _ => {}
        }
    }

    fn begin(&mut self, at: Instant, record: Record) {
        let Record { epoch, leader, by, alone, .. } = record;
        let Lost { heard, silent, fencing, fenced } = self.lost;
        if self.changes.len() == KEPT {
            self.changes.remove(0);
        }
        self.epoch = epoch;
        self.total += 1;
        self.changes.push(Change {
            epoch,
            leader,
            by,
            alone,
            heard,
            silent,
            fencing,
            fenced,
            decided: at,
            promoted: None,
            serves: None,
        });
    }

    /// The newest, if this node leads since.
    fn own(&mut self) -> Option<&mut Change> {
        let me = self.me;
        self.changes.last_mut().filter(|change| change.leader == me)
    }

    /// Since the agent started, the newest last.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// How many there were since the agent started.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}
