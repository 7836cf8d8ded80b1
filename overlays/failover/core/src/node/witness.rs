//! The witness: a register with compare-and-swap. A leader swaps in its record again and again; who sees none of that waits, and swaps.

use super::Node;
use crate::{Action, Answer, Asked, Decides, Instant, Record, Request, Stored};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Witness {
    last: u64,
    asked: Option<Sent>,
    next: Instant,
    seen: Option<Seen>,
    /// Nobody else swaps before, if all wait as they should.
    pub lease: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Sent {
    request: Request,
    at: Instant,
}

/// What is there, and since when it is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Seen {
    tag: u64,
    record: Record,
    since: Instant,
}

impl Witness {
    pub fn was_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// No site ever used it.
    pub fn is_unused(&self) -> bool {
        self.seen.is_some_and(|seen| seen.record.number == 0)
    }

    fn send(&mut self, now: Instant, asked: Asked, out: &mut Vec<Action>) {
        self.last += 1;
        let request = Request { id: self.last, asked };
        self.asked = Some(Sent { request, at: now });
        out.push(Action::Ask(request));
    }
}

impl Node {
    pub(super) fn answered(&mut self, now: Instant, answer: Answer, out: &mut Vec<Action>) {
        let Some(sent) = self.witness.asked.filter(|sent| sent.request.id == answer.id) else { return };
        self.witness.asked = None;
        let Answer { done, tag, record, .. } = answer;
        if self.witness.seen.is_none_or(|seen| seen.tag != tag) {
            self.witness.seen = Some(Seen { tag, record, since: now });
        }
        if self.stored.claim.is_some_and(|claim| claim != tag) {
            // It was carried out, or never will be.
            self.stored.claim = None;
            out.push(Action::Persist(self.stored));
        }
        if record > self.stored.record && !self.has_lost(record) {
            self.settle_on(record, true, out);
        } else if done && self.leads() && matches!(sent.request.asked, Asked::Swap { .. }) {
            self.witness.lease = sent.at + self.config.promise;
        }
    }

    /// Nobody swapped there for as long as a swap lets anybody serve.
    pub(super) fn witness_is_still(&self, now: Instant) -> bool {
        self.witness.seen.is_some_and(|seen| now >= seen.since + self.config.wait())
    }

    /// Tries to have a new record there.
    pub(super) fn claim(&mut self, now: Instant, record: Record, out: &mut Vec<Action>) {
        let Some(seen) = self.witness.seen.filter(|seen| seen.record <= self.stored.record) else { return };
        if self.witness.asked.is_some() {
            return;
        }
        // Before it is sent: after a restart it must be known that it may still be carried out.
        self.stored = Stored { claim: Some(seen.tag), ..self.stored };
        out.push(Action::Persist(self.stored));
        self.witness.send(now, Asked::Swap { tag: seen.tag, record }, out);
    }

    /// Renews what is there, or reads it.
    pub(super) fn ask(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.config.decides != Decides::Witness {
            return;
        }
        let pause = self.config.promise / 4;
        if self.witness.asked.is_some_and(|sent| now >= sent.at + 2 * pause) {
            self.witness.asked = None;
        }
        if self.witness.asked.is_some() || now < self.witness.next {
            return;
        }
        self.witness.next = now + pause;
        let asked = match self.witness.seen {
            // A proposal is not put there: it may never be decided.
            Some(seen) if self.leads() && !self.unfit(now) && seen.record <= self.stored.record => {
                let record = if self.stored.decided { self.stored.record } else { seen.record };
                Asked::Swap { tag: seen.tag, record }
            }
            // Nobody swaps, as it may be while the leader has a new disk: so this node does, to know what became of its claim.
            Some(seen) if self.stored.claim == Some(seen.tag) && self.witness_is_still(now) => {
                Asked::Swap { tag: seen.tag, record: seen.record }
            }
            _ => Asked::Read,
        };
        self.witness.send(now, asked, out);
    }
}
