//! A standby whose leader is lost.

use super::Node;
use crate::{Action, By, Decides, Instant, Postgres};

impl Node {
    /// Leads instead of a leader that is lost, once it is certain that it does not lead any more.
    pub(super) fn take_over(&mut self, now: Instant, out: &mut Vec<Action>) {
        let has_all = !self.stored.record.alone
            && !self.stored.empty
            && matches!(self.postgres, Postgres::Standby { .. });
        if !has_all || !self.uplink {
            return;
        }
        // What it consented to counts from before that was heard, and has passed too. A leader that is still heard hears this node too late.
        let passed = self.has_lost_the_other(now) && now >= self.peer.consented + self.config.wait();
        match self.config.decides {
            Decides::Witness => {
                if passed && self.witness_is_still(now) {
                    self.claim(now, self.stored.record.next(By::Witness, self.me(), true), out);
                }
            }
            // What was proposed and perhaps never heard gives no right.
            Decides::Standby => {
                if passed && self.stored.decided {
                    self.settle_alone(By::Proof, out);
                }
            }
            Decides::Fence => {
                if self.granted
                    && self.stored.decided
                    && self.silent(now, self.config.loss + self.config.fence_delay)
                {
                    self.fence(now, out);
                }
            }
            Decides::Person => {}
        }
    }

    pub(super) fn fence(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.fencing.is_none() && now >= self.fence_again {
            self.fencing = Some(now);
            out.push(Action::Fence);
        }
    }

    pub(super) fn fenced(&mut self, now: Instant, off: bool, out: &mut Vec<Action>) {
        let Some(begun) = self.fencing.take() else { return };
        self.fence_again = now + self.config.promise;
        // Who speaks is not off, whatever was said.
        if off && self.peer.heard < begun {
            self.settle_alone(By::Proof, out);
        }
    }
}
