//! What chance seldom brings together, at each of many moments.

use geminios_failover_core::{Decides, Side};

use crate::faults::{Fault, Moment};
use crate::time::{MS, SECOND};
use crate::world::{Kind, SIDES, World};

fn pair(seed: u64, decides: Decides) -> (World, Side) {
    let mut world = World::new(seed, decides, Kind::Ordinary, true);
    assert!(world.run_until(60 * SECOND, World::paired), "seed {seed}: {:?}", world.judge.broken);
    let leader = SIDES.into_iter().find(|side| world.machine(*side).serves()).unwrap();
    (world, leader)
}

impl World {
    fn goes_on_for(&mut self, time: u64) {
        let end = self.time + time;
        self.run_until(end, |_| false);
        assert_eq!(self.judge.broken, None, "{}", self.story.end(60));
    }
}

/// The standby's consent is about to end when the leader's PostgreSQL is there again, and its agent hangs just then.
#[test]
fn a_leader_hangs_as_it_begins_to_serve() {
    for step in 0..80 {
        let (mut world, leader) = pair(step, Decides::Standby);
        world.network.cut = [[u64::MAX; 2]; 2];
        world.goes_on_for(step * 20 * MS);
        world.crash_postgres(leader);
        world.trap = Some((leader, Moment::Serves, Fault::Freeze));
        world.goes_on_for(10 * SECOND);
    }
}

/// The last swap is done long before the leader hears so, and nothing else lets it serve.
#[test]
fn a_leader_hears_late_that_its_swap_was_done() {
    for step in 0..40 {
        let (mut world, leader) = pair(step, Decides::Witness);
        world.witness.answers_later[leader as usize] = 950 * MS;
        world.network.cut = [[u64::MAX; 2]; 2];
        // Before it goes on alone.
        world.goes_on_for(400 * MS + step * 10 * MS);
        world.witness.deaf_to = Some(leader);
        world.goes_on_for(10 * SECOND);
    }
}

/// The standby claims, its agent dies, and the swap is carried out half a minute later. The leader reaches no witness meanwhile, but
/// the standby: that must not consent.
#[test]
fn a_claim_is_carried_out_long_after_the_agent_that_made_it() {
    for seed in 0..40 {
        let (mut world, leader) = pair(seed, Decides::Witness);
        world.witness.claims_later = 20 * SECOND + seed * 200 * MS;
        world.witness.away[leader as usize] = u64::MAX;
        world.network.cut = [[u64::MAX; 2]; 2];
        world.trap = Some((leader.other(), Moment::Claims, Fault::KillAgent));
        let end = world.time + 10 * SECOND;
        assert!(world.run_until(end, |world| world.trap.is_none()));
        world.network.mend();
        world.goes_on_for(40 * SECOND);
    }
}
