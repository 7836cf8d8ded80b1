//! A leader without the other node, and with it again.

use super::Node;
use crate::{Action, By, Decides, Instant, Postgres, Refusal};

impl Node {
    /// Goes on alone when the other node is lost; has it with it again when that has everything.
    pub(super) fn keep_company(&mut self, now: Instant, out: &mut Vec<Action>) {
        if !self.is_alone() {
            if self.has_lost_the_other(now) {
                self.go_on_alone(now, out);
            } else if self.stored.decided && now >= self.peer.streamed + self.config.promise {
                // It is there, but its PostgreSQL is not.
                self.propose(true, out);
            }
        } else if self.joins(now) && self.postgres == (Postgres::Primary { covered: true }) {
            self.propose(false, out);
        }
    }

    /// The other node follows, and commits may begin to wait for it.
    pub(super) fn joins(&self, now: Instant) -> bool {
        self.is_alone()
            && self.stored.claim.is_none()
            && !self.has_lost_the_other(now)
            && self.peer.postgres() == Some(Postgres::Standby { streams: true })
            && self.agreed()
    }

    fn propose(&mut self, alone: bool, out: &mut Vec<Action>) {
        if self.is_free() {
            let record = self.stored.record.next(By::Both, self.me(), alone);
            self.settle_on(record, false, out);
        }
    }

    fn go_on_alone(&mut self, now: Instant, out: &mut Vec<Action>) {
        let me = self.me();
        match self.config.decides {
            Decides::Witness => {
                if self.office(now).is_some() {
                    self.claim(now, self.stored.record.next(By::Witness, me, true), out);
                }
            }
            Decides::Fence => {
                if self.granted {
                    self.fence(now, out);
                }
            }
            Decides::Standby => {}
            Decides::Person => self.settle_alone(By::Proof, out),
        }
    }

    /// PostgreSQL should be a leader's for too long, and is not.
    pub(super) fn unfit(&self, now: Instant) -> bool {
        now >= self.fit + self.config.start
    }

    pub(super) fn begin_hand_over(&mut self, now: Instant) -> Option<Refusal> {
        if !self.leads() {
            return Some(Refusal::NotLeading);
        }
        if !self.is_free() {
            return Some(Refusal::Undecided);
        }
        if !self.other_may_lead(now) {
            return Some(Refusal::PeerNotReady);
        }
        self.handing = true;
        None
    }

    fn other_may_lead(&self, now: Instant) -> bool {
        !self.stored.record.alone
            && self.stored.decided
            && !self.has_lost_the_other(now)
            && matches!(self.peer.postgres(), Some(Postgres::Standby { .. }))
    }

    /// Gives the role away once PostgreSQL has stopped, when a person wants it or PostgreSQL does not come up.
    pub(super) fn hand_over(&mut self, now: Instant, out: &mut Vec<Action>) {
        let able = self.other_may_lead(now) && self.is_free();
        self.handing &= able;
        if able && (self.handing || self.unfit(now)) && self.postgres == Postgres::Stopped {
            let record = self.stored.record.next(By::Both, self.me().other(), false);
            self.settle_on(record, false, out);
            self.handing = false;
        }
    }
}
