//! What goes wrong: at any time, or right after something of weight was done.

use geminios_failover_core::{Command, Side};

use crate::machine::Given;
use crate::time::{Event, MS, Micros, SECOND};
use crate::world::{Kind, SIDES, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Cut,
    CutAll,
    Loss,
    Slow,
    Jitter,
    Twice,
    Flip,
    Replay,
    Garbage,
    SlowDisk,
    FullDisk,
    Replace,
    WitnessAway,
    WitnessAwayFromBoth,
    WitnessSlow,
    WitnessLosesQuestions,
    WitnessLosesAnswers,
    WitnessLate,
    WitnessRestarts,
    FenceFails,
    FenceHangs,
    PowerOff,
    PowerOffBoth,
    KillAgent,
    Freeze,
    Pause,
    CrashPostgres,
    BreakPostgres,
    HangStop,
    Uplink,
    HandOver,
    Lead,
}

pub const FAULTS: [Fault; 32] = [
    Fault::Cut,
    Fault::CutAll,
    Fault::Loss,
    Fault::Slow,
    Fault::Jitter,
    Fault::Twice,
    Fault::Flip,
    Fault::Replay,
    Fault::Garbage,
    Fault::SlowDisk,
    Fault::FullDisk,
    Fault::Replace,
    Fault::WitnessAway,
    Fault::WitnessAwayFromBoth,
    Fault::WitnessSlow,
    Fault::WitnessLosesQuestions,
    Fault::WitnessLosesAnswers,
    Fault::WitnessLate,
    Fault::WitnessRestarts,
    Fault::FenceFails,
    Fault::FenceHangs,
    Fault::PowerOff,
    Fault::PowerOffBoth,
    Fault::KillAgent,
    Fault::Freeze,
    Fault::Pause,
    Fault::CrashPostgres,
    Fault::BreakPostgres,
    Fault::HangStop,
    Fault::Uplink,
    Fault::HandOver,
    Fault::Lead,
];

/// After what an ambush is laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Writes,
    Asks,
    Claims,
    Fences,
    Goal,
    Serves,
    StopsServing,
    Postgres,
}

const AMBUSHES: [Fault; 9] = [
    Fault::CutAll,
    Fault::PowerOff,
    Fault::PowerOffBoth,
    Fault::KillAgent,
    Fault::Freeze,
    Fault::Pause,
    Fault::CrashPostgres,
    Fault::WitnessAwayFromBoth,
    Fault::HandOver,
];

/// What may go wrong in a run, and how often: some of all, so that each comes together with few others in some run.
pub struct Storm {
    pub begins: Micros,
    pub ends: Micros,
    faults: Vec<Fault>,
    /// Between two, on average.
    gap: Micros,
    /// Of a hundred moments.
    ambushes: u8,
}

impl Storm {
    pub fn none() -> Self {
        Storm { begins: Micros::MAX, ends: Micros::MAX, faults: Vec::new(), gap: SECOND, ambushes: 0 }
    }
}

impl World {
    pub fn brew(&mut self) {
        let share = self.rng.u8(5..60);
        let mut faults: Vec<_> = FAULTS.into_iter().filter(|_| self.rng.u8(..100) < share).collect();
        // So that it comes about that a leader tells it better.
        if self.kind == Kind::OldWitness && self.chance(50) {
            faults.retain(|fault| !format!("{fault:?}").starts_with("Witness"));
        }
        let begins = if self.chance(15) { 0 } else { self.between(8 * SECOND, 20 * SECOND) };
        let ends = begins + self.between(10 * SECOND, 60 * SECOND);
        let gap = self.between(300 * MS, 6 * SECOND);
        let ambushes = match self.rng.u8(..10) {
            0..4 => 0,
            4..8 => self.rng.u8(1..8),
            _ => self.rng.u8(8..40),
        };
        let named = faults.clone();
        self.story.add(0, "storm", || {
            format!("from {} s to {} s: {named:?}, ambushes {ambushes} %", begins / SECOND, ends / SECOND)
        });
        self.storm = Storm { begins, ends, faults, gap, ambushes };
        self.queue.push(begins, Event::NextFault);
        self.queue.push(ends, Event::Mend);
    }

    pub fn next_fault(&mut self) {
        if self.time >= self.storm.ends {
            return;
        }
        if self.kind != Kind::Ordinary && self.chance(30) {
            self.special_fault();
        } else if let Some(fault) = self.rng.choice(&self.storm.faults).copied() {
            self.fault(fault);
        }
        let pause = self.between(0, 2 * self.storm.gap);
        self.after(pause, Event::NextFault);
    }

    fn special_fault(&mut self) {
        match self.kind {
            Kind::OldWitness => self.restore_witness(),
            Kind::LyingFence => self.fault(Fault::CutAll),
            Kind::DeadWatchdog => self.fault(Fault::Pause),
            Kind::WrongClocks => self.fault(Fault::CutAll),
            Kind::Ordinary => {}
        }
    }

    pub fn ambush(&mut self, side: Side, moment: Moment) {
        if let Some((_, _, fault)) = self.trap.filter(|(at, when, _)| (*at, *when) == (side, moment)) {
            self.trap = None;
            if fault == Fault::Freeze {
                self.freeze(side, false, 60 * SECOND);
            } else {
                self.strike(fault, side);
            }
        }
        if self.time < self.storm.begins || self.time >= self.storm.ends || self.storm.ambushes == 0 {
            return;
        }
        if !self.chance(self.storm.ambushes) {
            return;
        }
        let Some(fault) = self.rng.choice(AMBUSHES) else { return };
        if !self.storm.faults.contains(&fault) {
            return;
        }
        self.story.add(self.time, "storm", || format!("ambush when {side:?} {moment:?}"));
        // Between this action and the next, or a little later.
        match fault {
            Fault::Freeze if self.chance(50) => {
                let time = self.between(MS, 4 * SECOND);
                self.freeze(side, false, time);
            }
            Fault::Pause if self.chance(50) => {
                let time = self.between(MS, 4 * SECOND);
                self.freeze(side, true, time);
            }
            _ if self.chance(50) => self.strike(fault, side),
            _ => {
                let later = self.between(0, 300 * MS);
                self.after(later, Event::Fault(fault));
            }
        }
    }

    /// Rather the leader.
    fn victim(&mut self) -> Side {
        let leader = SIDES.into_iter().find(|side| self.machine(*side).serves());
        match leader {
            Some(side) if self.chance(50) => side,
            _ => self.any_side(),
        }
    }

    pub fn fault(&mut self, fault: Fault) {
        if self.time >= self.storm.ends {
            return;
        }
        let side = self.victim();
        self.strike(fault, side);
    }

    fn strike(&mut self, fault: Fault, side: Side) {
        let length =
            if self.chance(50) { self.between(50 * MS, 3 * SECOND) } else { self.between(0, 20 * SECOND) };
        let until = self.time + length;
        self.story.add(self.time, "storm", || format!("{fault:?} for {} ms ({side:?})", length / MS));
        match fault {
            Fault::Cut => {
                let (cable, both) = (self.rng.usize(..2), self.chance(50));
                self.network.cut[cable][side as usize] = until;
                if both {
                    self.network.cut[1 - cable][side as usize] = until;
                }
            }
            Fault::CutAll => self.network.cut = [[until; 2]; 2],
            Fault::Loss => self.network.loss = until,
            Fault::Slow => self.network.slow = until,
            Fault::Jitter => self.network.jitter = until,
            Fault::Twice => self.network.twice = until,
            Fault::Flip => self.network.flip = until,
            Fault::Replay => {
                let count = self.rng.usize(1..30);
                self.replay(count);
            }
            Fault::Garbage => self.send_garbage(),
            Fault::SlowDisk => self.machine_mut(side).disk.slow = until,
            Fault::FullDisk => self.machine_mut(side).disk.full = until,
            Fault::Replace => self.replace(side),
            Fault::WitnessAway => self.witness.away[side as usize] = until,
            Fault::WitnessAwayFromBoth => self.witness.away = [until; 2],
            Fault::WitnessSlow => self.witness.slow = until,
            Fault::WitnessLosesQuestions => self.witness.loses_questions = until,
            Fault::WitnessLosesAnswers => self.witness.loses_answers = until,
            Fault::WitnessLate => self.witness.late = until,
            Fault::WitnessRestarts => self.witness.down = self.time + self.rng.u64(SECOND..5 * SECOND),
            Fault::FenceFails => self.fencing.fails = until,
            Fault::FenceHangs => self.fencing.hangs = until,
            Fault::PowerOff => self.reset(side),
            Fault::PowerOffBoth => {
                self.reset(side);
                let later = if self.chance(50) { 0 } else { self.between(0, 2 * SECOND) };
                let life = self.machine(side.other()).life;
                self.after(later, Event::PowerOff { side: side.other(), life });
            }
            Fault::KillAgent => self.kill_agent(side),
            Fault::Freeze => self.freeze(side, false, length),
            Fault::Pause => self.freeze(side, true, length),
            Fault::CrashPostgres => self.crash_postgres(side),
            Fault::BreakPostgres => {
                self.machine_mut(side).postgres.broken = until;
                self.crash_postgres(side);
            }
            Fault::HangStop => self.machine_mut(side).postgres.hangs = true,
            Fault::Uplink => self.uplink(side, length),
            Fault::HandOver => self.command(side, Command::HandOver),
            Fault::Lead => self.person_leads(side),
        }
    }

    fn uplink(&mut self, side: Side, length: Micros) {
        let start = self.machine(side).start;
        self.give(side, start, Given::Uplink(false));
        self.after(length, Event::Given { side, start, given: Given::Uplink(true) });
    }

    pub fn command(&mut self, side: Side, command: Command) {
        let start = self.machine(side).start;
        self.story.add(self.time, "person", || format!("{command:?} on {side:?}"));
        self.give(side, start, Given::Command(command));
    }

    /// A person sees that the other machine is off, and keeps it so until all is well.
    fn person_leads(&mut self, side: Side) {
        let (machine, other) = (self.machine(side), self.machine(side.other()));
        let stored = machine.disk.stored(side);
        let free = machine.agent.is_some() && !machine.busy && !machine.frozen && !machine.paused;
        if other.on || !free || stored.empty || !machine.postgres.whole || stored.record.leader == side {
            return;
        }
        self.machine_mut(side.other()).locked = true;
        self.forgive_what_lacks(side);
        self.command(side, Command::Lead);
    }

    /// A new machine, while the other one has everything and knows it.
    fn replace(&mut self, side: Side) {
        let [mine, theirs] = [side, side.other()].map(|side| self.machine(side).disk.stored(side));
        let knows = mine.record == theirs.record && mine.decided && theirs.decided && !theirs.empty;
        let has_all = theirs.record.leader == side.other() || !theirs.record.alone;
        if self.replaced.is_some() || !knows || !has_all || !self.machine(side.other()).postgres.whole {
            return;
        }
        self.replaced = Some(side);
        self.reset(side);
        self.story(side, || "has a new disk".to_owned());
        let machine = self.machine_mut(side);
        machine.disk.record = None;
        machine.postgres.log.clear();
        let postgres = &mut machine.postgres;
        (postgres.whole, postgres.was_primary, postgres.made, postgres.led) = (false, false, false, 0);
    }
}
