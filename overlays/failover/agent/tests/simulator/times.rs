//! How long no write is acknowledged, if nothing else goes wrong.

use geminios_failover_core::{Decides, Side};

use crate::time::{Micros, SECOND};
use crate::world::{Kind, SIDES, World};

#[derive(Clone, Copy, Debug)]
pub enum Loss {
    LeaderOff,
    LeaderStandsStill,
    AgentKilled,
    PostgresKilled,
    Cut,
    NotHeard,
    StandbyOff,
    HandOver,
}

pub const LOSSES: [(Loss, &str); 8] = [
    (Loss::LeaderOff, "the leader's machine goes off"),
    (Loss::LeaderStandsStill, "the leader's machine hangs"),
    (Loss::AgentKilled, "the leader's agent is killed"),
    (Loss::PostgresKilled, "the leader's PostgreSQL is killed"),
    (Loss::Cut, "both cables are cut"),
    (Loss::NotHeard, "what the leader sends is lost"),
    (Loss::StandbyOff, "the standby's machine goes off"),
    (Loss::HandOver, "the role is handed over"),
];

/// The longest time without an acknowledged write around the loss; nothing if there is none within half a minute.
pub fn pause(seed: u64, decides: Decides, loss: Loss) -> Option<Micros> {
    let mut world = World::new(seed, decides, Kind::Ordinary, false);
    assert!(world.run_until(60 * SECOND, World::paired), "seed {seed}: {:?}", world.judge.broken);
    let start = world.time + world.between(2 * SECOND, 4 * SECOND);
    world.run_until(start, |_| false);
    let leader = SIDES.into_iter().find(|side| world.machine(*side).serves()).unwrap();
    world.judge.pause = 0;
    world.lose(leader, loss);
    let end = world.time + 30 * SECOND;
    world.run_until(end, |_| false);
    assert_eq!(world.judge.broken, None, "seed {seed}, {loss:?}");
    (world.judge.last + 5 * SECOND > end).then_some(world.judge.pause)
}

impl World {
    fn lose(&mut self, leader: Side, loss: Loss) {
        match loss {
            Loss::LeaderOff => self.power_off(leader),
            Loss::StandbyOff => self.power_off(leader.other()),
            Loss::LeaderStandsStill => self.freeze(leader, true, 60 * SECOND),
            Loss::AgentKilled => self.kill_agent(leader),
            Loss::PostgresKilled => self.crash_postgres(leader),
            Loss::Cut => self.network.cut = [[Micros::MAX; 2]; 2],
            Loss::NotHeard => {
                for cable in &mut self.network.cut {
                    cable[leader.other() as usize] = Micros::MAX;
                }
            }
            Loss::HandOver => self.command(leader, geminios_failover_core::Command::HandOver),
        }
    }
}

/// Least, median, that of 95 in a hundred, most: in seconds. And how often writes did not go on.
pub fn spread(all: &[Option<Micros>]) -> String {
    let mut pauses: Vec<_> = all.iter().copied().flatten().collect();
    pauses.sort_unstable();
    let stands = (all.len() - pauses.len()) * 100 / all.len();
    if pauses.is_empty() {
        return "–".to_owned();
    }
    let at = |part: usize| pauses[(pauses.len() - 1) * part / 100] as f64 / SECOND as f64;
    let spread = format!("{:.1} / {:.1} / {:.1} / {:.1}", at(0), at(50), at(95), at(100));
    if stands == 0 { spread } else { format!("{spread}; {stands} % stand still") }
}
