//! Switching the other machine off, over a management network that fails too.

use geminios_failover_core::Side;

use crate::machine::Given;
use crate::time::{Event, MS, Micros, SECOND};
use crate::world::{Kind, World};

#[derive(Default)]
pub struct Fencing {
    pub fails: Micros,
    pub hangs: Micros,
}

impl World {
    pub fn fence(&mut self, from: Side) {
        let start = self.machine(from).start;
        let later = self.between(300 * MS, 3500 * MS);
        let (fails, hangs) = (self.time < self.fencing.fails, self.time < self.fencing.hangs);
        let fenced = |off| Event::Given { side: from, start, given: Given::Fenced(off) };
        if self.kind == Kind::LyingFence && !self.calm {
            self.after(later, Event::FenceLies { from, start, begun: self.time });
        } else if hangs {
            // It may have been done all the same.
            if self.chance(30) {
                self.after(later, Event::FenceActs { from, start: 0 });
            }
            let later = self.between(10 * SECOND, 20 * SECOND);
            self.after(later, fenced(false));
        } else if fails {
            self.after(later, fenced(false));
        } else {
            self.after(later, Event::FenceActs { from, start });
        }
    }

    /// The machine goes off; somebody switches it on later. Whether it is off is asked a moment after.
    pub fn fence_acts(&mut self, from: Side, start: u64) {
        let side = from.other();
        self.story.add(self.time, "fence", || format!("{side:?} is switched off for {from:?}"));
        if self.machine(side).on {
            self.power_off(side);
            let (life, off) = (self.machine(side).life, self.between(500 * MS, 20 * SECOND));
            self.after(off, Event::PowerOn { side, life });
        }
        let later = self.between(50 * MS, 400 * MS);
        self.after(later, Event::FenceSeen { from, start });
    }

    pub fn fence_seen(&mut self, from: Side, start: u64) {
        let off = !self.machine(from.other()).on;
        self.judge.seen_off[from as usize] |= off;
        self.give(from, start, Given::Fenced(off));
    }
}

impl World {
    /// It says that a machine is off that was not touched. Who heard that one since it asked must not believe it.
    pub fn fence_lies(&mut self, from: Side, start: u64, begun: Micros) {
        self.story.add(self.time, "fence", || format!("says that {:?} is off", from.other()));
        let machine = self.machine(from);
        let now = machine.clock.now(self.time);
        let heard = machine.agent.as_ref().and_then(|agent| agent.status(now).heard);
        if heard.is_none_or(|heard| now - heard < machine.clock.now(begun)) {
            self.judge.believed += 1;
        }
        self.give(from, start, Given::Fenced(true));
    }
}
