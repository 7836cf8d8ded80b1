//! Two machines with PostgreSQL, the cable between them, a witness, and switches for their power: what the core acts upon.

use geminios_failover_core::{
    Action, Answer, Asked, Command, Decides, Event, Goal, Heartbeat, Node, Postgres, Record, Request, Side,
    Stored,
};

use crate::config::{BITE, config};

pub const SIDES: [Side; 2] = [Side::A, Side::B];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub decides: Decides,
    pub clock: u64,
    pub machines: [Machine; 2],
    /// Whether what is sent to this side arrives.
    pub hears: [bool; 2],
    /// What arrives next, in this order.
    pub sent: Vec<(Side, Heartbeat)>,
    /// What arrives at any time.
    pub late: Vec<(Side, Heartbeat)>,
    pub witness: Register,
    pub asked: Vec<Question>,
    pub late_asked: Vec<Question>,
    /// Who wants the other one switched off.
    pub fences: Vec<(Side, u64)>,
    pub writes: u8,
    /// Those that a client was told are safe, as bits.
    pub acknowledged: u8,
    pub faults: u8,
    /// The side whose machine is a new one.
    pub replaced: Option<Side>,
    pub both_acknowledged: bool,
    pub both_served: bool,
    pub lost: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    pub from: Side,
    pub boot: u64,
    pub request: Request,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Register {
    pub reached: [bool; 2],
    pub tag: u64,
    pub record: Record,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    pub node: Option<Node>,
    pub hung: bool,
    pub ticked: bool,
    /// Its clock is ahead by so much.
    pub ahead: u64,
    pub boot: u64,
    pub disk: Stored,
    pub postgres: Postgres,
    /// What of its state the core was told.
    pub told: Postgres,
    pub goal: Option<Goal>,
    /// Commits do not wait for a standby.
    pub lax: bool,
    /// Of the leader whose history this is.
    pub epoch: u64,
    pub log: Vec<u8>,
    pub broken: bool,
    pub served: Option<u64>,
    /// When the watchdog resets it.
    pub bite: Option<u64>,
}

impl Machine {
    fn new(disk: Stored) -> Self {
        Machine {
            node: None,
            hung: false,
            ticked: false,
            ahead: 0,
            boot: 0,
            disk,
            postgres: Postgres::Stopped,
            told: Postgres::Stopped,
            goal: None,
            lax: false,
            epoch: 1,
            log: Vec::new(),
            broken: false,
            served: None,
            bite: None,
        }
    }

    pub fn is_primary(&self) -> bool {
        matches!(self.postgres, Postgres::Primary { .. })
    }

    pub fn serves(&self) -> bool {
        self.node.is_some() && self.is_primary() && self.served.is_some()
    }
}

/// What happens next if nothing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    Arrives,
    Witness,
    Fence,
    Postgres(Side),
    Told(Side),
    Tick(Side),
}

impl World {
    pub fn new(decides: Decides) -> Self {
        let stored = Stored::first(Side::A);
        let mut world = World {
            decides,
            clock: 100,
            machines: [Machine::new(stored), Machine::new(stored)],
            hears: [true; 2],
            sent: Vec::new(),
            late: Vec::new(),
            witness: Register { reached: [true; 2], tag: 0, record: stored.record },
            asked: Vec::new(),
            late_asked: Vec::new(),
            fences: Vec::new(),
            writes: 0,
            acknowledged: 0,
            faults: 0,
            replaced: None,
            both_acknowledged: false,
            both_served: false,
            lost: false,
        };
        SIDES.into_iter().for_each(|side| world.power_on(side));
        world
    }

    pub fn machine(&self, side: Side) -> &Machine {
        &self.machines[side as usize]
    }

    pub fn machine_mut(&mut self, side: Side) -> &mut Machine {
        &mut self.machines[side as usize]
    }

    pub fn now(&self, side: Side) -> u64 {
        self.clock + self.machine(side).ahead
    }

    pub fn power_on(&mut self, side: Side) {
        let (now, decides) = (self.now(side), self.decides);
        let machine = self.machine_mut(side);
        machine.boot += 1;
        machine.node = Some(Node::start(config(side, decides), machine.disk, machine.boot, now));
        machine.hung = false;
        machine.broken = false;
    }

    pub fn power_off(&mut self, side: Side) {
        let machine = self.machine_mut(side);
        *machine = Machine {
            boot: machine.boot,
            disk: machine.disk,
            epoch: machine.epoch,
            log: std::mem::take(&mut machine.log),
            ahead: machine.ahead,
            ticked: machine.ticked,
            ..Machine::new(machine.disk)
        };
        self.fences.retain(|(from, _)| *from != side);
    }

    /// A new machine: nothing is on its disk.
    pub fn replace(&mut self, side: Side) {
        self.power_off(side);
        self.replaced = Some(side);
        let machine = self.machine_mut(side);
        machine.disk = Stored::blank(side);
        machine.epoch = 0;
        machine.log.clear();
    }

    /// Has a node do something; the power may go after so many of its actions.
    pub fn run(&mut self, side: Side, event: Event, cut: Option<usize>) {
        let now = self.now(side);
        let Some(node) = &mut self.machine_mut(side).node else { return };
        let actions = node.step(now, event);
        for (count, action) in actions.into_iter().enumerate() {
            if cut == Some(count) {
                return self.power_off(side);
            }
            self.perform(side, action);
        }
    }

    fn perform(&mut self, side: Side, action: Action) {
        let now = self.now(side);
        let machine = &mut self.machines[side as usize];
        match action {
            Action::Persist(stored) => machine.disk = stored,
            Action::Send(heartbeat) => {
                if self.hears[side.other() as usize] {
                    self.sent.push((side.other(), heartbeat));
                }
            }
            Action::Ask(request) => {
                if self.witness.reached[side as usize] {
                    self.asked.push(Question { from: side, boot: machine.boot, request });
                }
            }
            Action::Fence => self.fences.push((side, machine.boot)),
            Action::Postgres(goal) => {
                machine.goal = Some(goal);
                if let Postgres::Primary { covered } = &mut machine.postgres {
                    *covered = false;
                    machine.told = machine.postgres;
                }
            }
            Action::Serve(epoch) => machine.served = epoch,
            Action::Feed(until) => {
                if until.is_none_or(|until| now + BITE <= until) {
                    machine.bite = Some(self.clock + BITE);
                }
            }
            Action::Refuse(_) => {}
        }
    }

    /// What is to happen, the first first.
    pub fn next(&self) -> Option<Next> {
        let awake = |side: &Side| self.machine(*side).node.is_some() && !self.machine(*side).hung;
        if !self.sent.is_empty() {
            return Some(Next::Arrives);
        }
        if !self.asked.is_empty() {
            return Some(Next::Witness);
        }
        if !self.fences.is_empty() {
            return Some(Next::Fence);
        }
        if let Some(side) = SIDES.into_iter().find(|side| self.postgres_after(*side).is_some()) {
            return Some(Next::Postgres(side));
        }
        let behind = |side: &Side| self.machine(*side).told != self.machine(*side).postgres;
        if let Some(side) = SIDES.into_iter().find(|side| awake(side) && behind(side)) {
            return Some(Next::Told(side));
        }
        SIDES.into_iter().find(|side| awake(side) && !self.machine(*side).ticked).map(Next::Tick)
    }

    /// Does what is next. The power of a node that acts may go in the middle.
    pub fn go(&mut self, cut: Option<usize>) {
        match self.next() {
            Some(Next::Arrives) => {
                let (side, heartbeat) = self.sent.remove(0);
                self.arrive(side, heartbeat, cut);
            }
            Some(Next::Witness) => {
                let question = self.asked.remove(0);
                self.witnessed(question, cut);
            }
            Some(Next::Fence) => {
                let (from, boot) = self.fences.remove(0);
                self.power_off(from.other());
                if self.machine(from).boot == boot {
                    self.run(from, Event::Fenced(true), cut);
                }
            }
            Some(Next::Postgres(side)) => {
                if let Some(machine) = self.postgres_after(side) {
                    *self.machine_mut(side) = machine;
                }
            }
            Some(Next::Told(side)) => {
                let postgres = self.machine(side).postgres;
                self.machine_mut(side).told = postgres;
                self.run(side, Event::Postgres(postgres), cut);
            }
            Some(Next::Tick(side)) => {
                self.machine_mut(side).ticked = true;
                self.run(side, Event::Tick, cut);
            }
            None => self.advance(),
        }
        self.acknowledge();
    }

    fn advance(&mut self) {
        self.clock += 1;
        for side in SIDES {
            self.machine_mut(side).ticked = false;
            if self.machine(side).node.is_some()
                && self.machine(side).bite.is_some_and(|bite| bite <= self.clock)
            {
                // The watchdog: it starts anew.
                self.power_off(side);
                self.power_on(side);
            }
        }
    }

    pub fn arrive(&mut self, side: Side, heartbeat: Heartbeat, cut: Option<usize>) {
        // What waits for a hung node is there when it wakes up.
        if self.machine(side).hung {
            self.late.push((side, heartbeat));
            return;
        }
        self.run(side, Event::Heard(heartbeat), cut);
    }

    pub fn witnessed(&mut self, question: Question, cut: Option<usize>) {
        let Question { from, boot, request } = question;
        let mut done = false;
        if let Asked::Swap { tag, record } = request.asked
            && tag == self.witness.tag
        {
            self.witness.tag += 1;
            self.witness.record = record;
            done = true;
        }
        let machine = self.machine(from);
        if self.witness.reached[from as usize] && machine.boot == boot && !machine.hung {
            let answer = Answer { id: request.id, done, tag: self.witness.tag, record: self.witness.record };
            self.run(from, Event::Witness(answer), cut);
        }
    }

    /// The agent starts again while PostgreSQL goes on; the address is given up before anything else.
    pub fn restart_agent(&mut self, side: Side) {
        let (now, decides) = (self.now(side), self.decides);
        let machine = self.machine_mut(side);
        machine.boot += 1;
        machine.node = Some(Node::start(config(side, decides), machine.disk, machine.boot, now));
        (machine.served, machine.goal, machine.told) = (None, None, Postgres::Stopped);
        self.fences.retain(|(from, _)| *from != side);
    }

    pub fn command(&mut self, side: Side, command: Command) {
        self.run(side, Event::Command(command), None);
    }

    pub fn write(&mut self, side: Side) {
        let id = self.writes;
        self.writes += 1;
        self.machine_mut(side).log.push(id);
        self.acknowledge();
    }

    /// A standby that is connected to this side's primary.
    pub fn has_standby(&self, side: Side) -> bool {
        let (primary, standby) = (self.machine(side), self.machine(side.other()));
        primary.is_primary()
            && standby.postgres == (Postgres::Standby { streams: true })
            && standby.epoch == primary.epoch
            && self.hears == [true; 2]
    }

    /// Whether a commit here is acknowledged now, or may be.
    pub fn may_acknowledge(&self, side: Side) -> bool {
        let machine = self.machine(side);
        machine.node.is_some() && machine.is_primary() && (machine.lax || self.has_standby(side))
    }

    /// What is streamed is streamed, and what need not wait any more is acknowledged.
    fn acknowledge(&mut self) {
        for side in SIDES {
            let streams = self.has_standby(side);
            if streams {
                self.machine_mut(side.other()).log = self.machine(side).log.clone();
            }
            if self.machine(side).node.is_some()
                && self.machine(side).is_primary()
                && (self.machine(side).lax || streams)
            {
                for id in self.machine(side).log.clone() {
                    self.acknowledged |= 1 << id;
                }
            }
        }
    }
}
