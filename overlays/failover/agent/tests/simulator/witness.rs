//! The witness: a register with compare-and-swap, over a network that loses questions and answers.

use geminios_failover_core::{Answer, Asked, By, Record, Request, Side};

use crate::machine::Given;
use crate::time::{Event, MS, Micros, SECOND};
use crate::world::World;

pub struct Witness {
    pub tag: u64,
    pub record: Record,
    tags: u64,
    /// All that was ever there.
    past: Vec<(u64, Record)>,
    /// What was there before an older copy was restored, until somebody puts it back.
    pub forgot: Option<Record>,
    pub away: [Micros; 2],
    pub down: Micros,
    pub slow: Micros,
    /// On the way to this side.
    pub answers_later: [Micros; 2],
    /// Its questions are lost, but not the answers.
    pub deaf_to: Option<Side>,
    /// Claims come there so much later.
    pub claims_later: Micros,
    pub loses_questions: Micros,
    pub loses_answers: Micros,
    /// Questions are carried out long after they were asked.
    pub late: Micros,
}

impl Witness {
    pub fn new() -> Self {
        let record = Record { number: 0, by: By::Both, epoch: 0, leader: Side::A, alone: true };
        Witness {
            tag: 0,
            record,
            tags: 0,
            past: vec![(0, record)],
            forgot: None,
            away: [0; 2],
            down: 0,
            slow: 0,
            answers_later: [0; 2],
            deaf_to: None,
            claims_later: 0,
            loses_questions: 0,
            loses_answers: 0,
            late: 0,
        }
    }

    pub fn mend(&mut self) {
        (self.away, self.down, self.slow) = ([0; 2], 0, 0);
        (self.loses_questions, self.loses_answers, self.late) = (0, 0, 0);
    }

    fn reached(&self, side: Side, time: Micros) -> bool {
        time >= self.away[side as usize] && time >= self.down
    }
}

impl World {
    pub fn ask(&mut self, from: Side, request: Request) {
        let start = self.machine(from).start;
        if !self.witness.reached(from, self.time)
            || self.witness.deaf_to == Some(from)
            || self.time < self.witness.loses_questions && self.chance(40)
        {
            return;
        }
        let mut delay = self.between(MS, 20 * MS);
        if self.time < self.witness.slow {
            delay += self.between(0, 3 * SECOND);
        }
        if self.time < self.witness.late && self.chance(40) {
            delay += self.between(SECOND, 15 * SECOND);
        }
        if matches!(request.asked, Asked::Swap { record, .. } if record != self.witness.record) {
            delay += self.witness.claims_later;
        }
        self.after(delay, Event::Question { from, start, request });
        // A proxy that repeats it.
        if self.time < self.witness.late && self.chance(10) {
            let again = delay + self.between(MS, 3 * SECOND);
            self.after(again, Event::Question { from, start, request });
        }
    }

    pub fn asked(&mut self, from: Side, start: u64, request: Request) {
        let witness = &mut self.witness;
        if self.time < witness.down {
            return;
        }
        let mut done = false;
        if let Asked::Swap { tag, record } = request.asked
            && tag == witness.tag
        {
            done = true;
            witness.tags += 1;
            witness.tag = witness.tags;
            let changed = record != witness.record;
            witness.record = record;
            witness.past.push((witness.tag, record));
            let tag = witness.tag;
            if changed {
                self.story.add(self.time, "witness", || format!("tag {tag}, by {from:?}: {}", told(&record)));
            } else {
                self.story.add_fine(self.time, "witness", || format!("tag {tag}, renewed by {from:?}"));
            }
            self.look_at_witness();
        }
        if !self.witness.reached(from, self.time) || self.time < self.witness.loses_answers && self.chance(40)
        {
            return;
        }
        let mut delay = self.between(MS, 20 * MS) + self.witness.answers_later[from as usize];
        if self.time < self.witness.slow {
            delay += self.between(0, 3 * SECOND);
        }
        let answer = Answer { id: request.id, done, tag: self.witness.tag, record: self.witness.record };
        self.after(delay, Event::Given { side: from, start, given: Given::Witness(answer) });
    }

    fn look_at_witness(&mut self) {
        let witness = &mut self.witness;
        self.judge.put_back += u64::from(witness.forgot == Some(witness.record));
    }

    /// Somebody restores it from an old copy.
    pub fn restore_witness(&mut self) {
        if let Some((tag, record)) = self.rng.choice(&self.witness.past).copied() {
            self.witness.forgot = self.witness.forgot.max(Some(self.witness.record));
            (self.witness.tag, self.witness.record) = (tag, record);
            self.judge.restored += 1;
            self.look_at_witness();
            self.story.add(self.time, "witness", || format!("restored to tag {tag}: {}", told(&record)));
        }
    }
}

pub fn told(record: &Record) -> String {
    let Record { number, by, epoch, leader, alone } = record;
    format!(
        "record {number} by {by:?}: epoch {epoch}, {leader:?} leads{}",
        if *alone { " alone" } else { "" }
    )
}
