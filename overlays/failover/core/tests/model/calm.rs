//! What holds of a world, and what becomes of it when nothing goes wrong any more.

use geminios_failover_core::{Decides, Postgres, Record, Side};

use crate::world::{Machine, Next, SIDES, World};

impl World {
    /// The time at which the pair is there.
    pub const PAIRED: u64 = 120;

    pub fn paired(mut self) -> Self {
        self.calm(World::PAIRED);
        let pair = self.machine(Side::A).serves() && !self.machine(Side::A).lax && self.has_standby(Side::A);
        assert!(pair, "{}", self.told());
        self
    }

    fn calm(&mut self, until: u64) {
        while self.clock < until || self.next().is_some() {
            self.go(None);
        }
    }

    /// Remembers what must never be seen.
    pub fn judge(&mut self) {
        self.both_acknowledged |= SIDES.into_iter().all(|side| self.may_acknowledge(side));
        self.both_served |= SIDES.into_iter().all(|side| self.machine(side).serves());
        self.lost |= !self.keeps_what_it_acknowledged();
    }

    /// Whoever serves has all that any client was told is safe.
    pub fn keeps_what_it_acknowledged(&self) -> bool {
        let all = |machine: &Machine| {
            (0..self.writes).all(|id| self.acknowledged & (1 << id) == 0 || machine.log.contains(&id))
        };
        self.machines.iter().filter(|machine| machine.serves()).all(all)
    }

    /// With all mended there are soon a leader and a standby; with one machine alone it leads, if it can know that it may.
    pub fn leads_again(&self) -> bool {
        let mut mended = self.clone();
        mended.mend();
        let until = mended.clock + 40;
        while mended.clock < until {
            // Who was switched off is switched on again.
            for side in SIDES {
                if mended.machine(side).node.is_none() {
                    mended.power_on(side);
                }
            }
            mended.go(None);
        }
        mended.calm(until);
        let leader = SIDES.into_iter().find(|side| mended.machine(*side).serves());
        let paired = leader.is_some_and(|side| mended.has_standby(side) && !mended.machine(side).lax);
        if mended.all_is_gone() {
            return mended.keeps_what_it_acknowledged();
        }
        if !paired || !mended.keeps_what_it_acknowledged() {
            println!("with all mended:\n    {}\n    {}", self.told(), mended.told());
            return false;
        }
        self.decides != Decides::Witness || SIDES.into_iter().all(|side| self.leads_without_the_other(side))
    }

    /// The latest record that counts.
    fn last(&self) -> Record {
        let decided = self.machines.iter().filter(|machine| machine.disk.decided);
        decided.map(|machine| machine.disk.record).fold(self.witness.record, Record::max)
    }

    /// The machine that alone had everything has a new disk: only a person can have the other one lead.
    fn all_is_gone(&self) -> bool {
        let last = self.last();
        last.alone && self.replaced == Some(last.leader) && self.machine(last.leader).epoch == 0
    }

    fn leads_without_the_other(&self, side: Side) -> bool {
        // A new machine has to catch up first, with data and with the record.
        let disk = self.machine(side).disk;
        if disk.empty || self.replaced == Some(side) && disk.record < self.last() {
            return true;
        }
        let mut mended = self.clone();
        mended.mend();
        mended.power_off(side.other());
        if mended.machine(side).node.is_none() {
            mended.power_on(side);
        }
        let last = mended.last();
        if last.alone && last.leader != side {
            return true;
        }
        let until = mended.clock + 40;
        mended.calm(until);
        let leads = mended.machine(side).serves() && mended.machine(side).lax;
        if !leads || !mended.keeps_what_it_acknowledged() {
            println!("{side:?} without the other:\n    {}\n    {}", self.told(), mended.told());
        }
        leads && mended.keeps_what_it_acknowledged()
    }

    fn mend(&mut self) {
        self.hears = [true; 2];
        self.witness.reached = [true; 2];
        self.late.clear();
        self.late_asked.clear();
        for machine in &mut self.machines {
            machine.hung = false;
            machine.broken = false;
        }
    }

    pub fn told(&self) -> String {
        let machine = |side: Side| {
            let machine = self.machine(side);
            let postgres = match machine.postgres {
                Postgres::Stopped => "stopped",
                Postgres::Standby { streams: false } => "standby",
                Postgres::Standby { streams: true } => "standby that streams",
                Postgres::Primary { .. } if machine.lax => "primary alone",
                Postgres::Primary { .. } => "primary",
            };
            let state = match &machine.node {
                None => "off",
                Some(_) if machine.hung => "hung",
                Some(_) => "on",
            };
            let Record { number, by, epoch, leader, alone } = machine.disk.record;
            format!(
                "{side:?} {state}: {postgres} of epoch {}, serves {:?}, log {:?}, goal {:?}, record {number} {by:?}: epoch {epoch}, {leader:?}{}{}{}",
                machine.epoch,
                machine.served,
                machine.log,
                machine.goal,
                if alone { " alone" } else { "" },
                if machine.disk.decided { "" } else { " proposed" },
                if machine.disk.claim.is_some() { " claimed" } else { "" },
            )
        };
        format!(
            "{}: next {:?}\n    {}\n    {}\n    witness {}: {:?}; hears {:?}, reaches {:?}, acknowledged {:b}",
            self.clock,
            self.next().unwrap_or(Next::Tick(Side::A)),
            machine(Side::A),
            machine(Side::B),
            self.witness.tag,
            self.witness.record,
            self.hears,
            self.witness.reached,
            self.acknowledged
        )
    }
}
