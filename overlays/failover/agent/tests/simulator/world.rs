//! Two machines and all that is around them.

use geminios_failover_core::{Config, Decides, Side};

use crate::client::Client;
use crate::faults::{Fault, Moment, Storm};
use crate::fence::Fencing;
use crate::judge::Judge;
use crate::machine::{Given, Machine, WATCHDOG};
use crate::network::Network;
use crate::story::Story;
use crate::stream::Link;
use crate::time::{Event, MS, Micros, Needs, Queue, SECOND};
use crate::witness::Witness;

/// For so long nothing goes wrong, and a pair is to be there at the end: a machine may be switched off twice more, and starts for 20 s.
const CALM: Micros = 120 * SECOND;

pub const SIDES: [Side; 2] = [Side::A, Side::B];

pub fn config(me: Side, decides: Decides) -> Config {
    Config {
        me,
        decides,
        heartbeat: 250,
        promise: 2000,
        drift: 40,
        loss: 1000,
        start: 10_000,
        watchdog: WATCHDOG,
        fence_delay: 1000,
    }
}

/// What is assumed may not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ordinary,
    /// The witness forgets.
    OldWitness,
    /// Fencing says that a machine is off that is not.
    LyingFence,
    /// A tenth fast or slow.
    WrongClocks,
    /// It never fires.
    DeadWatchdog,
}

pub struct World {
    pub decides: Decides,
    pub kind: Kind,
    pub time: Micros,
    pub rng: fastrand::Rng,
    pub queue: Queue,
    pub story: Story,
    pub machines: [Machine; 2],
    pub network: Network,
    pub witness: Witness,
    pub fencing: Fencing,
    pub link: Option<Link>,
    pub links: u64,
    pub client: Client,
    pub judge: Judge,
    pub storm: Storm,
    /// Nothing goes wrong any more.
    pub calm: bool,
    pub replaced: Option<Side>,
    /// This happens to this side as soon as it has done this.
    pub trap: Option<(Side, Moment, Fault)>,
}

impl World {
    /// Two new machines that are just switched on.
    pub fn new(seed: u64, decides: Decides, kind: Kind, told: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let apart = if kind == Kind::WrongClocks { 100_000 } else { 9_000 };
        let machines = SIDES.map(|_| Machine::new(rng.u64(SECOND - apart..=SECOND + apart)));
        let mut world = World {
            decides,
            kind,
            time: 0,
            rng,
            queue: Queue::default(),
            story: Story::new(told),
            machines,
            network: Network::default(),
            witness: Witness::new(),
            fencing: Fencing::default(),
            link: None,
            links: 0,
            client: Client::new(),
            judge: Judge::default(),
            storm: Storm::none(),
            calm: false,
            replaced: None,
            trap: None,
        };
        for side in SIDES {
            let boot = world.between(0, 3 * SECOND);
            world.power_on(side, boot);
        }
        world.queue.push(0, Event::NextWrite);
        world.queue.push(0, Event::Look);
        world
    }

    pub fn machine(&self, side: Side) -> &Machine {
        &self.machines[side as usize]
    }

    pub fn machine_mut(&mut self, side: Side) -> &mut Machine {
        &mut self.machines[side as usize]
    }

    pub fn after(&mut self, delay: Micros, event: Event) {
        self.queue.push(self.time + delay, event);
    }

    /// From the first to just before the second.
    pub fn between(&mut self, least: Micros, most: Micros) -> Micros {
        self.rng.u64(least..most)
    }

    /// In a hundred.
    pub fn chance(&mut self, percent: u8) -> bool {
        self.rng.u8(..100) < percent
    }

    pub fn any_side(&mut self) -> Side {
        if self.rng.bool() { Side::A } else { Side::B }
    }

    pub fn story(&mut self, side: Side, what: impl FnOnce() -> String) {
        self.story.add(self.time, if side == Side::A { "A" } else { "B" }, what);
    }

    pub fn story_fine(&mut self, side: Side, what: impl FnOnce() -> String) {
        self.story.add_fine(self.time, if side == Side::A { "A" } else { "B" }, what);
    }

    /// Until something is seen that must not be, or all is well.
    pub fn run(&mut self) {
        while self.judge.broken.is_none() && !self.judge.done {
            self.happen();
        }
    }

    /// Until this holds, or some time.
    pub fn run_until(&mut self, end: Micros, holds: impl Fn(&World) -> bool) -> bool {
        while self.time < end && self.judge.broken.is_none() {
            self.happen();
            if holds(self) {
                return true;
            }
        }
        false
    }

    fn happen(&mut self) {
        let Some((time, event)) = self.queue.pop() else { return };
        self.time = time;
        let (side, agent) = match event.needs() {
            Needs::Agent(side) => (side, true),
            Needs::Machine(side) => (side, false),
            Needs::Nothing => return self.take(event),
        };
        let machine = self.machine_mut(side);
        if !machine.on {
            return;
        }
        if machine.paused || agent && machine.frozen {
            machine.held.push(event);
            return;
        }
        self.take(event);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Datagram { to, bytes } => {
                let start = self.machine(to).start;
                self.give(to, start, Given::Datagram(bytes));
            }
            Event::Wake { side, start, timer } => {
                if self.machine(side).timer == timer {
                    self.give(side, start, Given::Tick);
                }
            }
            Event::Continue { side, start } => {
                if self.machine(side).start == start {
                    self.continues(side);
                }
            }
            Event::Given { side, start, given } => self.give(side, start, given),
            Event::Poll { side, start } => self.poll(side, start),
            Event::Done { side, job } => self.done(side, job),
            Event::Write { to, id, by_address } => self.write(to, id, by_address),
            Event::Written { side, process, id } => self.written(side, process, id),
            Event::Streamed { side, link, from, ids } => self.streamed(side, link, from, ids),
            Event::Flushed { side, process, link, all } => self.flushed(side, process, link, all),
            Event::LinkCheck { link } => self.check_link(link),
            Event::NextWrite => self.next_write(),
            Event::Arp(side) => self.arp(side),
            Event::Question { from, start, request } => self.asked(from, start, request),
            Event::FenceActs { from, start } => self.fence_acts(from, start),
            Event::FenceSeen { from, start } => self.fence_seen(from, start),
            Event::FenceLies { from, start, begun } => self.fence_lies(from, start, begun),
            Event::Bite { side, life } => self.bite(side, life),
            Event::Thaw { side, life } => {
                if self.machine(side).life == life {
                    self.thaw(side);
                }
            }
            Event::PowerOff { side, life } => {
                if self.machine(side).life == life {
                    self.reset(side);
                }
            }
            Event::PowerOn { side, life } => {
                if self.machine(side).life == life {
                    let boot = self.boot_time();
                    self.power_on(side, boot);
                }
            }
            Event::Unlock(side) => {
                self.machine_mut(side).locked = false;
                self.power_on(side, 5 * SECOND);
            }
            Event::StartAgent { side, life } => {
                if self.machine(side).on && self.machine(side).life == life {
                    self.start_agent(side);
                }
            }
            Event::NextFault => self.next_fault(),
            Event::Fault(fault) => self.fault(fault),
            Event::Mend => self.mend(),
            Event::Look => {
                self.look_on();
                self.after(100 * MS, Event::Look);
            }
        }
        self.judge();
    }

    /// Who was kept off for a person's sake comes last.
    pub fn mend(&mut self) {
        self.story.add(self.time, "storm", || "all is mended".to_owned());
        self.calm = true;
        self.network.mend();
        self.witness.mend();
        self.fencing = Fencing::default();
        self.judge.deadline = self.time + CALM;
        for side in SIDES {
            self.thaw(side);
            let time = self.time;
            let machine = self.machine_mut(side);
            (machine.disk.slow, machine.disk.full) = (0, 0);
            (machine.postgres.hangs, machine.postgres.broken) = (false, 0);
            if machine.locked {
                self.judge.deadline = time + CALM + 30 * SECOND;
                self.after(30 * SECOND, Event::Unlock(side));
            } else {
                self.power_on(side, 5 * SECOND);
            }
            let start = self.machine(side).start;
            self.give(side, start, Given::Uplink(true));
        }
    }
}
