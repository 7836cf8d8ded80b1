//! A machine: its power, clock, watchdog, address, and the service manager that starts the agent again.

use std::collections::VecDeque;

use geminios_failover::{Agent, Key};
use geminios_failover_core::{Answer, Command, Postgres, Side};

use crate::disk::Disk;
use crate::hands::Effect;
use crate::postgres::Server;
use crate::time::{Clock, Event, MS, Micros, SECOND};
use crate::world::{Kind, World, config};

/// Milliseconds from the last feeding to the reset. A consent is heard within a heartbeat or two of what it answers, so that there is
/// time left to feed in.
pub const WATCHDOG: u64 = 1500;

/// What an agent is to learn.
#[derive(Clone, Debug)]
pub enum Given {
    Tick,
    Datagram(Vec<u8>),
    Witness(Answer),
    Fenced(bool),
    /// Seen while this was the goal: what was seen of an earlier one says nothing any more.
    Postgres(u64, Postgres),
    Uplink(bool),
    Command(Command),
}

pub struct Machine {
    pub on: bool,
    /// Not to be switched on by anybody but the person who vouched for it.
    pub locked: bool,
    /// One more each time the power goes.
    pub life: u64,
    pub clock: Clock,
    pub agent: Option<Agent>,
    /// One more with each start and end of the agent.
    pub start: u64,
    /// SIGSTOP.
    pub frozen: bool,
    /// All of it stands still, but for the watchdog.
    pub paused: bool,
    /// What happens as soon as it does not stand still any more.
    pub held: Vec<Event>,
    /// What the agent has still to do, and whether it can write no more.
    pub effects: VecDeque<Effect>,
    pub ended: bool,
    pub busy: bool,
    pub inbox: VecDeque<Given>,
    pub timer: u64,
    pub address: Option<u64>,
    pub bite: Option<Micros>,
    pub bites: bool,
    pub disk: Disk,
    pub postgres: Server,
}

impl Machine {
    pub fn new(rate: u64) -> Self {
        Machine {
            on: false,
            locked: false,
            life: 0,
            clock: Clock { began: 0, first: 0, rate },
            agent: None,
            start: 0,
            frozen: false,
            paused: false,
            held: Vec::new(),
            effects: VecDeque::new(),
            ended: false,
            busy: false,
            inbox: VecDeque::new(),
            timer: 0,
            address: None,
            bite: None,
            bites: false,
            disk: Disk::default(),
            postgres: Server::default(),
        }
    }

    /// Clients that come by the address are answered.
    pub fn serves(&self) -> bool {
        self.on && !self.paused && self.address.is_some() && self.postgres.is_primary()
    }
}

impl World {
    pub fn power_off(&mut self, side: Side) {
        if !self.machine(side).on {
            return;
        }
        self.story(side, || "the power goes".to_owned());
        self.lose_agent(side);
        self.end_postgres(side);
        let machine = self.machine_mut(side);
        machine.postgres.job = None;
        machine.postgres.hangs = false;
        machine.on = false;
        machine.paused = false;
        machine.life += 1;
        machine.held.clear();
        machine.address = None;
        (machine.bite, machine.bites) = (None, false);
    }

    /// The power comes; the agent runs when the system is up.
    pub fn power_on(&mut self, side: Side, boot: Micros) {
        if self.machine(side).on || self.machine(side).locked {
            return;
        }
        self.story(side, || "the power comes".to_owned());
        let first = self.rng.u64(..1 << 40);
        let time = self.time;
        let machine = self.machine_mut(side);
        machine.on = true;
        machine.clock = Clock { began: time, first, ..machine.clock };
        let life = machine.life;
        self.after(boot, Event::StartAgent { side, life });
    }

    /// It goes, and comes again.
    pub fn reset(&mut self, side: Side) {
        self.power_off(side);
        let life = self.machine(side).life;
        let off = self.between(MS, 10 * SECOND);
        self.after(off, Event::PowerOn { side, life });
    }

    pub fn boot_time(&mut self) -> Micros {
        self.between(3 * SECOND, 20 * SECOND)
    }

    pub fn bite(&mut self, side: Side, life: u64) {
        let time = self.time;
        let machine = self.machine_mut(side);
        if machine.life != life {
            return;
        }
        match machine.bite {
            Some(bite) if bite > time => {
                self.queue.push(bite, Event::Bite { side, life });
            }
            Some(_) => {
                self.story(side, || "the watchdog fires".to_owned());
                self.judge.bites += 1;
                self.power_off(side);
                let boot = self.between(5 * SECOND, 20 * SECOND);
                self.power_on(side, boot);
            }
            None => machine.bites = false,
        }
    }

    pub fn feed(&mut self, side: Side, until: Option<u64>) {
        let time = self.time;
        let dead = self.kind == Kind::DeadWatchdog;
        let machine = self.machine_mut(side);
        let now = machine.clock.now(time);
        if dead || until.is_some_and(|until| now + WATCHDOG > until) {
            return;
        }
        let bite = time + machine.clock.lasts(WATCHDOG);
        machine.bite = Some(bite);
        if !machine.bites {
            machine.bites = true;
            let life = machine.life;
            self.queue.push(bite, Event::Bite { side, life });
        }
    }

    /// Before anything else the address is given up: PostgreSQL may still run.
    pub fn start_agent(&mut self, side: Side) {
        let (time, decides) = (self.time, self.decides);
        let session = self.rng.u64(..);
        let machine = self.machine_mut(side);
        if machine.agent.is_some() {
            return;
        }
        machine.address = None;
        machine.start += 1;
        let start = machine.start;
        let stored = machine.disk.record.is_some().then(|| machine.disk.stored(side));
        let now = machine.clock.now(time);
        let key = Key::new([7; 32]);
        machine.agent = Some(Agent::start(config(side, decides), key, stored, session, now));
        self.story(side, || format!("agent starts, session {session:x}"));
        self.give(side, start, Given::Tick);
        self.after(MS, Event::Poll { side, start });
    }

    /// It is gone at once, in the middle of whatever it did; what it had begun outside goes on.
    pub fn lose_agent(&mut self, side: Side) {
        let landed = self.chance(50);
        let machine = self.machine_mut(side);
        if machine.agent.take().is_none() {
            return;
        }
        machine.start += 1;
        machine.effects.clear();
        machine.inbox.clear();
        (machine.frozen, machine.busy, machine.ended) = (false, false, false);
        machine.postgres.lose_reconciler();
        let writing = machine.disk.writing.take();
        if let Some(bytes) = writing.filter(|_| landed) {
            self.write_record(side, bytes);
        }
    }

    pub fn kill_agent(&mut self, side: Side) {
        if self.machine(side).agent.is_none() {
            return;
        }
        self.story(side, || "agent is killed".to_owned());
        self.lose_agent(side);
        let later = self.between(200 * MS, SECOND);
        self.start_agent_after(side, later);
    }

    pub fn start_agent_after(&mut self, side: Side, later: Micros) {
        let life = self.machine(side).life;
        self.after(later, Event::StartAgent { side, life });
    }

    /// The agent alone, or the whole machine.
    pub fn freeze(&mut self, side: Side, whole: bool, time: Micros) {
        let machine = self.machine_mut(side);
        if !machine.on || !whole && machine.agent.is_none() {
            return;
        }
        if whole {
            machine.paused = true;
        } else {
            machine.frozen = true;
        }
        let life = machine.life;
        self.story(side, || {
            format!("{} stands still for {} ms", if whole { "the machine" } else { "the agent" }, time / MS)
        });
        self.after(time, Event::Thaw { side, life });
    }

    pub fn thaw(&mut self, side: Side) {
        let time = self.time;
        let machine = self.machine_mut(side);
        if !machine.frozen && !machine.paused {
            return;
        }
        (machine.frozen, machine.paused) = (false, false);
        for event in std::mem::take(&mut machine.held) {
            self.queue.push(time, event);
        }
        self.story(side, || "goes on".to_owned());
    }
}
