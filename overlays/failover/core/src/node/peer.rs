//! The other node: what it said and what it consents to.

use std::collections::VecDeque;

use super::Node;
use crate::{Action, By, Decides, Heartbeat, Instant, Postgres, Record, Side, Stored};

/// Heartbeats that may still be answered.
const REMEMBERED: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    boot: u64,
    /// Number and time of our heartbeats, the newest last.
    sent: VecDeque<(u64, Instant)>,
    number: u64,
    next: Instant,
    /// Its newest heartbeat.
    newest: Option<Heartbeat>,
    /// When that came; when this node started if none did: an earlier start may have heard one, and consented, a moment before.
    pub heard: Instant,
    /// When it was last seen to stream from here.
    pub streamed: Instant,
    /// When the newest of our heartbeats was sent that it is known to have heard; when this node started if none is.
    pub answered: Instant,
    /// It does nothing to lead before.
    pub consent: Instant,
    /// When the last heartbeat came to which this node consented; when it started if there is none: an earlier start may have, a moment
    /// before.
    pub consented: Instant,
    urgent: bool,
}

impl Peer {
    pub fn unheard(boot: u64, now: Instant) -> Self {
        Peer {
            boot,
            sent: VecDeque::new(),
            number: 0,
            next: now,
            newest: None,
            heard: now,
            streamed: now,
            answered: now,
            consent: 0,
            consented: now,
            urgent: false,
        }
    }

    pub fn was_heard(&self) -> bool {
        self.newest.is_some()
    }

    pub fn stored(&self) -> Option<&Stored> {
        self.newest.as_ref().map(|newest| &newest.stored)
    }

    pub fn postgres(&self) -> Option<Postgres> {
        self.newest.map(|newest| newest.postgres)
    }

    /// It said so since this node started.
    fn is_blank(&self) -> bool {
        self.newest.is_some_and(|newest| {
            newest.stored.is_blank() && newest.answers.is_some_and(|(boot, _)| boot == self.boot)
        })
    }

    pub fn tell_at_once(&mut self) {
        self.urgent = true;
    }

    fn sent_at(&self, number: u64) -> Option<Instant> {
        self.sent.iter().find(|(known, _)| *known == number).map(|(_, at)| *at)
    }
}

impl Node {
    pub(super) fn heard(&mut self, now: Instant, heartbeat: Heartbeat, out: &mut Vec<Action>) {
        let at = |heartbeat: &Heartbeat| (heartbeat.boot, heartbeat.number);
        if self.peer.newest.as_ref().is_some_and(|newest| at(newest) >= at(&heartbeat)) {
            return;
        }
        self.peer.newest = Some(heartbeat);
        self.peer.heard = now;
        self.peer.urgent |= heartbeat.urgent;
        if heartbeat.postgres == (Postgres::Standby { streams: true }) {
            self.peer.streamed = now;
        }
        let answered = heartbeat.answers.filter(|(boot, _)| *boot == self.peer.boot);
        let sent = answered.and_then(|(_, number)| self.peer.sent_at(number));
        self.peer.answered = self.peer.answered.max(sent.unwrap_or(0));
        self.learn(&heartbeat.stored, out);
        if heartbeat.stored.record != self.stored.record {
            return;
        }
        if heartbeat.stored.decided || self.stored.decided {
            self.granted = true;
        }
        if let Some(sent) = sent.filter(|_| self.leads() && heartbeat.consents) {
            self.peer.consent = self.peer.consent.max(sent + self.config.promise);
        }
    }

    /// Takes a later record of the other node, if it is decided, or if it needs this node's word to be.
    fn learn(&mut self, theirs: &Stored, out: &mut Vec<Action>) {
        if theirs.record <= self.stored.record {
            return;
        }
        if self.has_lost(theirs.record) {
            // If not "alone", the other one has everything: that one is to lead.
            if !theirs.record.alone && self.is_free() {
                self.settle_on(theirs.record.next(By::Both, self.me().other(), true), false, out);
            }
            return;
        }
        // Only who leads proposes. With a swap under way that makes another one lead, no word can be given.
        let proposed = !self.leads() && self.is_free();
        if theirs.decided || proposed {
            self.settle_on(theirs.record, true, out);
        }
    }

    /// A node with a new disk does not lead because of what it had before.
    pub(super) fn has_lost(&self, record: Record) -> bool {
        self.stored.empty && record.leader == self.me()
    }

    /// Of two new nodes A leads first: there is nothing that could be lost.
    pub(super) fn found(&mut self, out: &mut Vec<Action>) {
        let first = Record::first(Side::A);
        let unused = self.config.decides != Decides::Witness || self.witness.is_unused();
        if self.stored.is_blank() && self.me() == first.leader && self.peer.is_blank() && unused {
            self.stored.empty = false;
            self.settle_on(first, true, out);
            self.granted = true;
        }
    }

    /// The other node has what was proposed to it; also when that made it the leader.
    pub(super) fn confirm(&mut self, out: &mut Vec<Action>) {
        if !self.stored.decided && self.agreed() {
            self.stored.decided = true;
            out.push(Action::Persist(self.stored));
        }
    }

    pub(super) fn speak(&mut self, now: Instant, out: &mut Vec<Action>) {
        if now < self.peer.next && !self.peer.urgent {
            return;
        }
        // The leader counts from when it sent what is answered, which was before it was heard: whoever waits from then on keeps this.
        // To one that hears this node too late it is of no use.
        let consents = self.agreed() && !self.leads() && self.is_free() && !self.has_lost_the_other(now);
        let peer = &mut self.peer;
        if consents {
            peer.consented = peer.heard;
        }
        peer.number += 1;
        peer.next = now + self.config.heartbeat;
        peer.urgent = false;
        if peer.sent.len() == REMEMBERED {
            peer.sent.pop_front();
        }
        peer.sent.push_back((peer.number, now));
        out.push(Action::Send(Heartbeat {
            boot: self.peer.boot,
            number: self.peer.number,
            answers: self.peer.newest.map(|newest| (newest.boot, newest.number)),
            stored: self.stored,
            postgres: self.postgres,
            consents,
            urgent: self.leads() && self.office(now).is_none(),
        }));
    }
}
