//! What chance seldom brings together, at each of many moments.

use geminios_failover_core::{Decides, Side};

use crate::faults::Moment;
use crate::time::{MS, SECOND};
use crate::world::{Kind, SIDES, World};

fn pair(seed: u64, decides: Decides) -> (World, Side) {
    let mut world = World::new(seed, decides, Kind::Ordinary, true);
    assert!(world.run_until(60 * SECOND, World::paired), "seed {seed}: {:?}", world.judge.broken);
    let leader = SIDES.into_iter().find(|side| world.machine(*side).serves()).unwrap();
    (world, leader)
}

impl World {
    fn goes_on_for(&mut self, seconds: u64) {
        let end = self.time + seconds * SECOND;
        self.run_until(end, |_| false);
        assert_eq!(self.judge.broken, None, "{}", self.story.end(60));
    }
}

/// The standby's consent is about to end when the leader's PostgreSQL is there again, and its agent hangs just then.
#[test]
fn a_leader_hangs_as_it_begins_to_serve() {
    for step in 0..60 {
        let (mut world, leader) = pair(step, Decides::Standby);
        world.crash_postgres(leader);
        world.trap = Some((leader, Moment::Serves));
        let cut = world.time + step * 25 * MS;
        world.run_until(cut, |_| false);
        world.network.cut = [[u64::MAX; 2]; 2];
        world.goes_on_for(10);
    }
}
