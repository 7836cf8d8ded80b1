//! One agent: the core, its line to the other node, and what is done for them.

use std::fmt;

use geminios_failover_core::{
    Action, Answer, By, Command, Config, Event, Goal, Instant, Node, Postgres, Record, Refusal, Request,
    Side, Stored,
};

use crate::line::{Key, Line, Refused};
use crate::status::{Role, Status};
use crate::stored;

/// Whoever carries out what the core wants. Each call is complete when it returns, but for [`Hands::postgres`], [`Hands::ask`] and
/// [`Hands::fence`], which begin something whose outcome comes as an [`Input`].
pub trait Hands {
    /// Why something could not be written.
    type Error: fmt::Display;
    /// On disk, whatever happens after it returned.
    ///
    /// # Errors
    /// It is not on disk; the agent ends then.
    fn persist(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// On every path to the other node. It may be lost.
    fn send(&mut self, datagram: &[u8]);
    fn ask(&mut self, request: Request);
    fn fence(&mut self);
    fn postgres(&mut self, goal: Goal);
    /// The virtual address is this node's in this epoch, or is gone from here.
    fn serve(&mut self, epoch: Option<u64>);
    fn feed(&mut self, until: Option<Instant>);
    /// This side leads in this epoch, and PostgreSQL takes writes there: Kine has to go there. `by`: whoever decided it named it.
    fn leads(&mut self, epoch: u64, side: Side, by: By);
    fn tell(&mut self, told: Told);
}

/// What an agent learns.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    Tick,
    Datagram(&'a [u8]),
    Witness(Answer),
    Fenced(bool),
    Postgres(Postgres),
    Uplink(bool),
    Command(Command),
}

/// What is worth telling: log, metrics and the story of a failover are made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Decided(Stored),
    Goal(Goal),
    Postgres(Postgres),
    Serves(Option<u64>),
    Fencing,
    Fenced(bool),
    PeerHeard,
    /// Not heard for so many milliseconds.
    PeerSilent(u64),
    Datagram(Refused),
    Refused(Refusal),
}

/// Why the agent cannot go on. PostgreSQL is stopped by the watchdog, or by whoever starts the agent again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record cannot be written: {0}")]
pub struct Ended(pub String);

pub struct Agent {
    config: Config,
    node: Node,
    line: Line,
    heard: Option<Instant>,
    peer: Option<(Record, Postgres)>,
    postgres: Postgres,
    led: Option<(u64, Side)>,
    /// The other node was seen to be off, and this one leads alone therefore.
    fenced: Option<Instant>,
    silence_told: bool,
    /// When the core last learned anything. What is refused is nothing: else who sends that keeps the agent from all it is to do.
    stepped: Instant,
}

impl Agent {
    /// `session`: a random number, of this start. `stored`: what [`stored::read`] made of the file; nothing if there is none, on a new
    /// disk.
    #[must_use]
    pub fn start(config: Config, key: Key, stored: Option<Stored>, session: u64, now: Instant) -> Self {
        let stored = stored.unwrap_or_else(|| Stored::blank(config.me));
        let line = Line::new(key, config.me, session);
        Agent {
            node: Node::start(config.clone(), stored, session, now),
            config,
            line,
            heard: None,
            peer: None,
            postgres: Postgres::Stopped,
            led: None,
            fenced: None,
            silence_told: false,
            stepped: now,
        }
    }

    /// # Errors
    /// What must be on disk is not.
    pub fn step<H: Hands>(&mut self, now: Instant, input: Input<'_>, hands: &mut H) -> Result<(), Ended> {
        let was_seen_off = matches!(input, Input::Fenced(true));
        let before = self.node.stored().record;
        let event = match input {
            Input::Tick => Event::Tick,
            Input::Datagram(bytes) => match self.line.open(bytes) {
                Ok(heartbeat) => {
                    if self.heard.is_none() || self.silence_told {
                        hands.tell(Told::PeerHeard);
                    }
                    self.heard = Some(now);
                    self.fenced = None;
                    self.silence_told = false;
                    self.peer = Some((heartbeat.stored.record, heartbeat.postgres));
                    Event::Heard(heartbeat)
                }
                // The other path was quicker.
                Err(Refused::Repeated) => return Ok(()),
                Err(refused) => {
                    hands.tell(Told::Datagram(refused));
                    return Ok(());
                }
            },
            Input::Witness(answer) => Event::Witness(answer),
            Input::Fenced(off) => {
                hands.tell(Told::Fenced(off));
                Event::Fenced(off)
            }
            Input::Postgres(postgres) => {
                if postgres != self.postgres {
                    hands.tell(Told::Postgres(postgres));
                }
                self.postgres = postgres;
                Event::Postgres(postgres)
            }
            Input::Uplink(uplink) => Event::Uplink(uplink),
            Input::Command(command) => Event::Command(command),
        };
        self.stepped = now;
        for action in self.node.step(now, event) {
            self.perform(action, hands)?;
        }
        // The core does not believe it of a node that speaks, and decides nothing then.
        let record = self.node.stored().record;
        let is_proof = record != before && record.leader == self.config.me && record.by == By::Proof;
        if was_seen_off && is_proof {
            self.fenced = Some(now);
        }
        self.tell_silence(now, hands);
        self.tell_leader(hands);
        Ok(())
    }

    fn perform<H: Hands>(&mut self, action: Action, hands: &mut H) -> Result<(), Ended> {
        match action {
            Action::Persist(stored) => {
                hands.persist(&stored::write(&stored)).map_err(|error| Ended(error.to_string()))?;
                hands.tell(Told::Decided(stored));
            }
            Action::Send(heartbeat) => hands.send(&self.line.seal(heartbeat)),
            Action::Ask(request) => hands.ask(request),
            Action::Fence => {
                hands.tell(Told::Fencing);
                hands.fence();
            }
            Action::Postgres(goal) => {
                hands.tell(Told::Goal(goal));
                hands.postgres(goal);
            }
            Action::Serve(epoch) => {
                hands.serve(epoch);
                hands.tell(Told::Serves(epoch));
            }
            Action::Feed(until) => hands.feed(until),
            Action::Refuse(refusal) => hands.tell(Told::Refused(refusal)),
        }
        Ok(())
    }

    fn tell_silence<H: Hands>(&mut self, now: Instant, hands: &mut H) {
        let Some(heard) = self.heard.filter(|heard| now >= heard + self.config.loss) else { return };
        if !self.silence_told {
            self.silence_told = true;
            hands.tell(Told::PeerSilent(now - heard));
        }
    }

    /// Kine goes where writes are taken, on both nodes.
    fn tell_leader<H: Hands>(&mut self, hands: &mut H) {
        let record = self.node.stored().record;
        let me = self.config.me;
        let there = |(theirs, postgres): (Record, Postgres)| {
            theirs == record && record.leader != me && matches!(postgres, Postgres::Primary { .. })
        };
        let led = if self.node.serves().is_some() {
            Some((record.epoch, me))
        } else if self.peer.is_some_and(there) {
            Some((record.epoch, me.other()))
        } else {
            None
        };
        if let Some((epoch, side)) = led.filter(|led| Some(*led) != self.led) {
            self.led = led;
            hands.leads(epoch, side, record.by);
        }
    }

    /// When something is due at the latest, if nothing happens before.
    #[must_use]
    pub fn wake(&self, now: Instant) -> Instant {
        let tick = self.stepped + self.config.heartbeat;
        self.node.deadline(now).map_or(tick, |deadline| tick.min(deadline)).max(now + 1)
    }

    #[must_use]
    pub fn status(&self, now: Instant) -> Status {
        let stored = *self.node.stored();
        let serves = self.node.serves();
        let role = match (stored.record.leader == self.config.me, stored.record.alone) {
            (true, _) if serves.is_none() => Role::LeaderNotServing,
            (true, true) => Role::LeaderAlone,
            (true, false) => Role::Leader,
            (false, false) if !stored.empty => Role::Standby,
            (false, _) => Role::StandbyBehind,
        };
        let is_alone = stored.record.alone && stored.record.leader == self.config.me;
        Status {
            me: self.config.me,
            role,
            stored,
            postgres: self.postgres,
            serves,
            heard: self.heard.map(|heard| now.saturating_sub(heard)),
            peer: self.peer.map(|(_, postgres)| postgres),
            serves_for: self.node.deadline(now).map(|deadline| deadline.saturating_sub(now)),
            fenced: self.fenced.filter(|_| is_alone).map(|fenced| now.saturating_sub(fenced)),
        }
    }
}
