//! Looking at the server, and what follows from what is seen.

use std::time::{Duration, Instant};

use crate::{
    Error, Phase,
    conf::Wait,
    leader::Need,
    plan::{self, Server},
    processes,
    report::{self, Proof},
    silence::Silence,
    sql::{Answer, Look},
    worker::{Backoff, Worker},
};

/// After so many starts in vain the data is taken to be bad.
const START_TRIES: u32 = 5;

impl Worker {
    /// False if something else is wanted, and nothing was seen.
    pub fn look(&mut self) -> bool {
        let idle = self.server == Server::Gone || self.stopping.is_some();
        let look = if idle { Look::Unready } else { self.sql.look() };
        match look {
            Look::Interrupted => return false,
            Look::Answer(answer) => {
                self.silent = None;
                self.answered(*answer);
                return true;
            }
            Look::Silent => {
                let (now, work) = (Instant::now(), processes::work(&self.settings.data));
                let silence = self.silent.get_or_insert_with(|| Silence::begin(now, work));
                let hung = silence.hangs(now, work, self.settings.limits.hang);
                if hung {
                    self.say(Phase::Hung);
                }
                self.server = Server::Silent { hung };
            }
            Look::Refused(why) => {
                self.fail(&Error::Sql(self.settings.socket.clone(), why));
                self.server = Server::Unready;
            }
            Look::Unready if self.stopping.is_none() && self.server != Server::Gone => {
                self.server = Server::Unready
            }
            Look::Unready => {}
        }
        if processes::gone(&self.settings.data) && (self.server == Server::Gone || self.not_started()) {
            self.vanished();
        } else if self.server == Server::Gone && !self.mark().exists() {
            // Somebody else started it. (Within a rewind it is recovered by a process that takes no connections.)
            self.server = Server::Unready;
        }
        true
    }

    fn not_started(&mut self) -> bool {
        match self.service.is_running() {
            Ok(running) => !running,
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn vanished(&mut self) {
        if self.server == Server::Gone {
            return;
        }
        self.sql.forget();
        if self.stopping.take().is_some() {
            self.say(Phase::Stopped);
        } else if self.started.is_some() && self.answer.is_none() {
            let data = self.settings.data.display().to_string();
            self.fail(&Error::Program(
                format!("postgres on {data}"),
                "it ended while it started; its log says why".into(),
            ));
            self.failed_starts += 1;
            let helps = self.copied_for != Some(self.epoch()) && self.has_room();
            if helps && self.failed_starts % START_TRIES == 0 {
                self.verdict = Some((self.epoch(), self.harder()));
            }
        }
        self.server = Server::Gone;
        (self.answer, self.silent, self.started, self.promoted, self.asked) = (None, None, None, None, None);
        (self.strict_run, self.proof, self.probe, self.confirmed, self.stuck) =
            (None, None, None, None, None);
        (self.may_lead, self.waited) = (false, false);
    }

    /// A standby that does not start for want of room is not helped by a copy.
    fn has_room(&self) -> bool {
        rustix::fs::statvfs(&self.settings.data)
            .is_ok_and(|fs| fs.f_bavail * fs.f_frsize >= 4 * crate::lsn::SEGMENT)
    }

    /// What may help a cluster that cannot follow for a reason that is not understood.
    pub fn harder(&self) -> Need {
        if self.rewound == Some(self.epoch()) {
            Need::Copy { fork: None }
        } else {
            Need::Rewind { fork: None }
        }
    }

    fn answered(&mut self, answer: Answer) {
        self.failed_starts = 0;
        if self.started.take().is_some() && self.strict {
            self.strict_run = Some(answer.started.clone());
        }
        if self.waited {
            self.waited = false;
            self.proof = Some(Proof { started: answer.started.clone(), from: answer.end });
        }
        let peer = self.settings.peer.name.clone();
        let wait = Wait::of(&answer.names, &peer);
        let epoch = self.epoch();
        self.server = if answer.recovery {
            let confirmed = self.confirmed.filter(|(pid, ..)| answer.receiver == Some(*pid));
            let need = self.verdict.filter(|(of, _)| *of == epoch).map_or(Need::Nothing, |(_, need)| need);
            Server::Standby(plan::Standby {
                streams: confirmed
                    .is_some_and(|(_, of, timeline)| of == epoch && Some(timeline) == answer.timeline),
                need,
                wait,
                epoch: answer.epoch,
                strict: self.strict_run.as_ref() == Some(&answer.started),
                slot: answer.slot.is_some_and(|slot| !slot.active),
                promoted: self.promoted.is_some_and(|at| at.elapsed() < Duration::from_secs(10)),
            })
        } else {
            if self.promoted.take().is_some() {
                self.say(Phase::Promoted { timeline: answer.timeline.unwrap_or_default() });
            }
            self.may_lead = true;
            Server::Primary(plan::Primary {
                wait,
                epoch: answer.epoch,
                proven: self.proof.as_ref().is_some_and(|proof| proof.started == answer.started),
                ready: self.prepared.as_ref() == Some(&answer.started)
                    && answer.slot.is_some_and(|slot| !slot.lost),
            })
        };
        if matches!(self.server, Server::Standby(standby) if standby.streams) {
            (self.stuck, self.verdict, self.rewound) = (None, None, None);
            self.backoff = Backoff::default();
            self.say_once(Phase::Streaming { timeline: answer.timeline.unwrap_or_default() });
        }
        *self.metrics.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            report::metrics(&answer, &peer);
        self.answer = Some(answer);
    }
}
