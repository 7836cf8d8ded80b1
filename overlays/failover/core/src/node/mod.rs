mod alone;
mod peer;
mod take;
mod witness;

use crate::{
    Action, By, Command, Config, Decides, Event, Goal, Instant, Millis, Postgres, Record, Refusal, Side,
    Stored,
};
use peer::Peer;
use witness::Witness;

/// One node. What is on its disk, and what it knows since it started.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    config: Config,
    stored: Stored,
    started: Instant,
    postgres: Postgres,
    uplink: bool,
    peer: Peer,
    witness: Witness,
    /// The other node's switching off was asked for then.
    fencing: Option<Instant>,
    /// After a failure not before.
    fence_again: Instant,
    /// Since this start the other node agreed with the record, or this one decided on it. Where nobody else decides, a record of
    /// before the start proves nothing.
    granted: bool,
    /// The role is to go to the other node as soon as PostgreSQL has stopped.
    handing: bool,
    /// PostgreSQL is a leader's, or need not be, since.
    fit: Instant,
    /// What was last asked for.
    goal: Option<Goal>,
    served: Option<u64>,
}

impl Node {
    /// A node that starts with what is on its disk. `boot` is greater than that of each earlier start.
    pub fn start(config: Config, stored: Stored, boot: u64, now: Instant) -> Self {
        let peer = Peer::unheard(boot, now);
        Node {
            config,
            stored,
            started: now,
            postgres: Postgres::Stopped,
            uplink: true,
            peer,
            witness: Witness::default(),
            fencing: None,
            fence_again: now,
            granted: false,
            handing: false,
            fit: now,
            goal: None,
            served: None,
        }
    }

    /// What is to be done when this happens.
    pub fn step(&mut self, now: Instant, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        match event {
            Event::Tick => {}
            Event::Heard(heartbeat) => self.heard(now, heartbeat, &mut out),
            Event::Witness(answer) => self.answered(now, answer, &mut out),
            Event::Fenced(off) => self.fenced(now, off, &mut out),
            Event::Postgres(postgres) => self.runs(postgres, &mut out),
            Event::Uplink(uplink) => self.uplink = uplink,
            Event::Command(command) => self.command(now, command, &mut out),
        }
        self.decide(now, &mut out);
        self.ask(now, &mut out);
        self.act(now, &mut out);
        self.speak(now, &mut out);
        out
    }

    fn runs(&mut self, postgres: Postgres, out: &mut Vec<Action>) {
        self.postgres = postgres;
        if self.stored.empty && postgres == (Postgres::Standby { streams: true }) {
            self.stored.empty = false;
            out.push(Action::Persist(self.stored));
        }
    }

    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// The epoch in which clients are served here.
    pub fn serves(&self) -> Option<u64> {
        self.served
    }

    /// When this node must have stopped serving, unless it hears or does something before: an event is due then at the latest.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.office(now).flatten()
    }

    fn me(&self) -> Side {
        self.config.me
    }

    fn leads(&self) -> bool {
        self.stored.record.leader == self.me()
    }

    /// Nobody else can lead, whatever happens.
    fn is_alone(&self) -> bool {
        self.leads() && self.stored.record.alone && self.stored.decided
    }

    fn decide(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.found(out);
        self.confirm(out);
        if self.leads() {
            self.hand_over(now, out);
        }
        if self.leads() {
            self.keep_company(now, out);
        } else {
            self.take_over(now, out);
        }
    }

    /// Writes a new record down. The caller has seen that it may.
    fn settle_on(&mut self, record: Record, decided: bool, out: &mut Vec<Action>) {
        if record.leader != self.stored.record.leader {
            self.granted = false;
        }
        self.stored = Stored { record, decided, ..self.stored };
        self.peer.tell_at_once();
        out.push(Action::Persist(self.stored));
    }

    /// Whether this node may serve now, and until when: without a time as long as nothing changes.
    fn office(&self, now: Instant) -> Option<Option<Instant>> {
        if !self.leads() {
            return None;
        }
        if self.is_alone() {
            // Somebody may have forced the other one to lead meanwhile: ask first.
            let asked = self.granted || self.peer.was_heard() || self.witness.was_seen();
            return (asked || now >= self.started + self.config.wait()).then_some(None);
        }
        let until = match self.config.decides {
            Decides::Witness => self.peer.consent.max(self.witness.lease),
            Decides::Standby => self.peer.consent,
            Decides::Fence | Decides::Person => return self.granted.then_some(None),
        };
        (now < until).then_some(Some(until))
    }

    fn act(&mut self, now: Instant, out: &mut Vec<Action>) {
        let office = self.office(now);
        let Record { epoch, leader, .. } = self.stored.record;
        let goal = match office {
            _ if leader != self.me() => Goal::Follow { epoch },
            // The role was just handed to it, and the other one has not said yet that it knows: it is about to be promoted.
            None if self.follows() => self.goal.unwrap_or(Goal::Follow { epoch }),
            None => Goal::Stopped { clean: false },
            Some(_) if self.handing => Goal::Stopped { clean: true },
            Some(_) => Goal::Lead { epoch, sync: !self.is_alone() || self.joins(now) },
        };
        let leads = matches!(goal, Goal::Lead { .. });
        let primary = matches!(self.postgres, Postgres::Primary { .. });
        if !leads || primary {
            self.fit = now;
        }
        // It may have been fed a moment ago, without an end. If the node now hung, it would be reset in time only then.
        let in_time = office.flatten().is_none_or(|until| now + self.config.watchdog <= until);
        let serves = (leads && primary && (self.served.is_some() || in_time)).then_some(epoch);
        if serves != self.served && serves.is_none() {
            out.push(Action::Serve(None));
        }
        if self.goal != Some(goal) {
            self.goal = Some(goal);
            if primary {
                self.postgres = Postgres::Primary { covered: false };
            }
            out.push(Action::Postgres(goal));
        }
        if serves != self.served && serves.is_some() {
            out.push(Action::Serve(serves));
        }
        self.served = serves;
        // One that may not serve is reset, should PostgreSQL not stop.
        let until = if primary { office.unwrap_or(Some(now)) } else { None };
        out.push(Action::Feed(until));
    }

    /// It is the standby that it was to be.
    fn follows(&self) -> bool {
        matches!(self.goal, Some(Goal::Follow { .. })) && matches!(self.postgres, Postgres::Standby { .. })
    }

    fn command(&mut self, now: Instant, command: Command, out: &mut Vec<Action>) {
        let refusal = match command {
            Command::HandOver => self.begin_hand_over(now),
            Command::Lead if self.leads() => Some(Refusal::Leading),
            Command::Lead => {
                self.settle_alone(By::Person, out);
                None
            }
        };
        out.extend(refusal.map(Action::Refuse));
    }

    /// Decides by itself that it leads alone. The caller has seen that it may.
    fn settle_alone(&mut self, by: By, out: &mut Vec<Action>) {
        self.settle_on(self.stored.record.next(by, self.me(), true), true, out);
        self.granted = true;
    }

    /// Both nodes have the same record.
    fn agreed(&self) -> bool {
        self.peer.stored().is_some_and(|theirs| theirs.record == self.stored.record)
    }

    /// Nothing is under way that makes this node lead alone, whatever both agree on meanwhile.
    fn is_free(&self) -> bool {
        self.stored.claim.is_none() && self.fencing.is_none()
    }

    /// The other node is not heard, or does not hear this one: then it has nothing of what is acknowledged from now on.
    fn has_lost_the_other(&self, now: Instant) -> bool {
        let Config { loss, heartbeat, .. } = self.config;
        self.silent(now, loss) || now >= self.peer.answered + loss + 2 * heartbeat
    }

    fn silent(&self, now: Instant, time: Millis) -> bool {
        now >= self.peer.heard + time
    }
}
