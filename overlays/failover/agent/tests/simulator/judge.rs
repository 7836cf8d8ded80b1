//! What must never be seen, looked for after each event, and what must be seen when all is mended.

use geminios_failover_core::{Postgres, Side, Stored};

use crate::time::{Micros, SECOND};
use crate::world::{Kind, SIDES, World};

#[derive(Default)]
pub struct Judge {
    /// What was not kept, first.
    pub broken: Option<String>,
    /// All is mended, and both are a pair again.
    pub done: bool,
    /// The one machine that had everything has a new disk: a person has to decide.
    pub excused: bool,
    acknowledged: Vec<u32>,
    /// Of these that many were found in the history of this version.
    found: [(u64, usize); 2],
    epochs: Vec<(u64, Side)>,
    pub last: Micros,
    /// The longest time without one.
    pub pause: Micros,
    paired_since: Option<Micros>,
    pub deadline: Micros,
    /// How often something happened, to see that the runs are worth something.
    pub bites: u64,
    pub believed: u64,
    pub restored: u64,
    pub put_back: u64,
    pub refused: u64,
    pub leaders: u64,
    pub alone: u64,
    /// The other machine was seen to be off for this side.
    pub seen_off: [bool; 2],
    pub fenced: u64,
}

impl Judge {
    pub fn acknowledged(&mut self, time: Micros, id: u32, promised: bool) {
        if promised {
            self.acknowledged.push(id);
        }
        self.pause = self.pause.max(time - self.last);
        self.last = time;
    }

    pub fn writes(&self) -> usize {
        self.acknowledged.len()
    }

    fn break_promise(&mut self, what: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(what());
        }
    }

    pub fn recorded(&mut self, side: Side, before: &Stored, after: &Stored) {
        if after.record < before.record {
            self.break_promise(|| {
                format!("{side:?}'s record went back: {:?} after {:?}", after.record, before.record)
            });
        }
        self.leaders += u64::from(after.record.epoch > before.record.epoch);
        self.alone += u64::from(after.record.alone && !before.record.alone);
    }

    pub fn served(&mut self, side: Side, epoch: u64) {
        if self.epochs.contains(&(epoch, side.other())) {
            self.break_promise(|| format!("both served in epoch {epoch}"));
        }
        if !self.epochs.contains(&(epoch, side)) {
            self.epochs.push((epoch, side));
        }
    }
}

impl World {
    /// A write that is committed here now is acknowledged, or may be.
    fn may_acknowledge(&self, side: Side) -> bool {
        let machine = self.machine(side);
        let runs = machine.on && !machine.paused && machine.postgres.is_primary();
        runs && (machine.postgres.lax || self.has_standby(side))
    }

    /// The first write that was acknowledged and is not in this side's history.
    fn lost(&mut self, side: Side) -> Option<u32> {
        let log = &self.machines[side as usize].postgres.log;
        let (version, found) = &mut self.judge.found[side as usize];
        if *version != log.version {
            (*version, *found) = (log.version, 0);
        }
        while let Some(id) = self.judge.acknowledged.get(*found) {
            if !log.has(*id) {
                return Some(*id);
            }
            *found += 1;
        }
        None
    }

    /// The README says so of this kind of run: clients of an old leader may read what is out of date.
    fn two_may_serve(&self) -> bool {
        matches!(self.kind, Kind::WrongClocks | Kind::DeadWatchdog) || self.writes_may_be_lost()
    }

    pub fn writes_may_be_lost(&self) -> bool {
        match self.kind {
            Kind::Ordinary | Kind::WrongClocks | Kind::DeadWatchdog => false,
            Kind::OldWitness => self.witness.forgot.is_some(),
            Kind::LyingFence => self.judge.believed > 0,
        }
    }

    pub fn judge(&mut self) {
        if self.writes_may_be_lost() {
            return self.forgive();
        }
        if SIDES.into_iter().all(|side| self.may_acknowledge(side)) {
            self.judge.break_promise(|| "two acknowledge".to_owned());
        }
        SIDES.into_iter().for_each(|side| self.judge_fence(side));
        if !self.two_may_serve() {
            if SIDES.into_iter().all(|side| self.machine(side).serves()) {
                self.judge.break_promise(|| "two serve".to_owned());
            }
            self.find_all();
        }
    }

    /// Pods are moved by it: a status says that the other machine is off only after that was seen, and not once it speaks.
    fn judge_fence(&mut self, side: Side) {
        let machine = self.machine(side);
        let now = machine.clock.now(self.time);
        let Some(status) = machine.agent.as_ref().map(|agent| agent.status(now)) else { return };
        let Some(fenced) = status.fenced else { return };
        self.judge.fenced += 1;
        let was_seen = self.judge.seen_off[side as usize] || self.kind == Kind::LyingFence;
        if !was_seen || status.heard.is_some_and(|heard| heard < fenced) {
            self.judge.break_promise(|| format!("{side:?} calls the other machine off: {status:?}"));
        }
    }

    /// Whoever serves has all that any client was told is safe.
    fn find_all(&mut self) {
        for side in SIDES {
            if self.machine(side).serves()
                && let Some(id) = self.lost(side)
            {
                self.judge.break_promise(|| {
                    format!("{side:?} serves and lacks write {id}, which was acknowledged")
                });
            }
        }
    }

    /// What was lost with reason is not looked for any more.
    fn forgive(&mut self) {
        for side in SIDES {
            if self.machine(side).serves() {
                self.forgive_what_lacks(side);
            }
        }
    }

    pub fn forgive_what_lacks(&mut self, side: Side) {
        if self.lost(side).is_some() {
            let log = &self.machines[side as usize].postgres.log;
            self.judge.acknowledged.retain(|id| log.has(*id));
            self.judge.found = [(0, 0); 2];
        }
    }

    /// While the record on both disks says that the other one may lead, both have all that was acknowledged.
    fn covers(&mut self) -> bool {
        let [a, b] = SIDES.map(|side| self.machine(side).disk.stored(side));
        let whole = SIDES.into_iter().all(|side| self.machine(side).postgres.whole);
        a.record != b.record
            || a.record.alone
            || !whole
            || SIDES.into_iter().all(|side| self.lost(side).is_none())
    }

    /// It is as if it had never been when both know it again, and one has stopped.
    fn look_at_what_was_forgotten(&mut self) {
        let Some(forgot) = self.witness.forgot else { return };
        let back = self.witness.record == forgot
            && SIDES.into_iter().all(|side| self.machine(side).disk.stored(side).record == forgot);
        let rests = |side: Side| {
            let server = &self.machine(side).postgres;
            !server.is_primary() && server.job.is_none()
        };
        if back && SIDES.into_iter().any(rests) {
            self.witness.forgot = None;
            self.forgive_what_lacks(forgot.leader);
        }
    }

    /// Looked at a few times in each second.
    pub fn look_on(&mut self) {
        self.look_at_what_was_forgotten();
        if !self.writes_may_be_lost() && !self.covers() {
            self.judge.break_promise(|| "not alone, and one lacks what was acknowledged".to_owned());
        }
        if !self.calm {
            return;
        }
        self.judge.excused = self.all_is_gone() || self.forgot_too_much();
        let since = *self.judge.paired_since.get_or_insert(self.time);
        if !self.paired() {
            self.judge.paired_since = None;
        } else if self.time >= since + 2 * SECOND && self.judge.last + SECOND > self.time {
            self.find_all();
            self.judge.done = true;
        }
        if self.time > self.judge.deadline {
            if self.judge.excused {
                self.judge.done = true;
            } else {
                self.judge
                    .break_promise(|| "with all mended, no leader with a standby for two minutes".to_owned());
            }
        }
    }

    /// One serves, the other streams, and both know that the other one may lead next.
    pub fn paired(&self) -> bool {
        let stored = SIDES.map(|side| self.machine(side).disk.stored(side));
        let agreed = stored[0].record == stored[1].record && !stored[0].record.alone;
        let Some(leader) = SIDES.into_iter().find(|side| self.machine(*side).serves()) else { return false };
        let streams = self.seen(leader.other()) == Postgres::Standby { streams: true };
        agreed && streams && !self.machine(leader).postgres.lax && stored.iter().all(|stored| stored.decided)
    }

    /// Both lead, each by a record that the other one may not take.
    fn forgot_too_much(&self) -> bool {
        let stored = SIDES.map(|side| self.machine(side).disk.stored(side));
        self.witness.forgot.is_some() && stored[0].record.leader != stored[1].record.leader
    }

    fn all_is_gone(&self) -> bool {
        let stored = SIDES.map(|side| self.machine(side).disk.stored(side));
        let decided = stored.iter().filter(|stored| stored.decided).map(|stored| stored.record);
        let last = decided.fold(self.witness.record, Ord::max);
        last.alone && self.replaced == Some(last.leader) && stored[last.leader as usize].empty
    }
}
