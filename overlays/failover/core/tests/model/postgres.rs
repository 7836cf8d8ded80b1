//! PostgreSQL and whoever brings it to its goal, one step at a time.

use geminios_failover_core::{Goal, Postgres, Side};

use crate::world::{Machine, World};

impl World {
    /// The machine after PostgreSQL's next step towards its goal; nothing if it rests.
    pub fn postgres_after(&self, side: Side) -> Option<Machine> {
        let machine = self.machine(side);
        machine.node.as_ref()?;
        let mut after = machine.clone();
        let leader = self.machine(side.other());
        let reached = self.hears == [true; 2] && leader.node.is_some() && leader.is_primary();
        match (machine.goal?, machine.postgres) {
            _ if machine.broken => after.postgres = Postgres::Stopped,
            (Goal::Stopped { .. }, _) => after.postgres = Postgres::Stopped,
            (Goal::Lead { epoch, sync }, _) => {
                after.epoch = epoch;
                after.lax = !sync;
                let covered = sync && machine.is_primary() && !machine.lax && self.has_standby(side);
                after.postgres = Postgres::Primary { covered };
            }
            (Goal::Follow { .. }, Postgres::Primary { .. }) => after.postgres = Postgres::Stopped,
            // Its own fork goes when there is a leader to take the history of.
            (Goal::Follow { epoch }, _) => {
                let streams = reached && leader.epoch == epoch;
                after.postgres = Postgres::Standby { streams };
                if !streams && machine.epoch == 0 {
                    after.postgres = Postgres::Stopped;
                }
                if streams {
                    after.epoch = epoch;
                    after.log = leader.log.clone();
                }
            }
        }
        (after != *machine).then_some(after)
    }
}
