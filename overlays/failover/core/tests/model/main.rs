//! The core, with all that can go wrong at all moments, under a model checker. Whatever happens in a tick happens in one order,
//! unless something goes wrong; how many things go wrong in one run is bounded.
//!
//! GEMINIOS_FAILOVER_FAULTS and GEMINIOS_FAILOVER_TICKS raise the bounds.

#![allow(clippy::unwrap_used)]

mod calm;
mod config;
mod faults;
mod postgres;
mod world;

use std::time::Instant;

use geminios_failover_core::Decides;
use stateright::{Checker, HasDiscoveries, Model, Property};

use faults::Step;
use world::{SIDES, World};

struct Site {
    decides: Decides,
    faults: u8,
    ticks: u64,
}

impl Model for Site {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        // From the first start to a pair in which both have everything.
        vec![World::new(self.decides).paired()]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        steps.extend(world.steps(world.faults < self.faults));
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut world = world.clone();
        world.take(step);
        world.judge();
        // When nothing can go wrong any more, a tick is one step.
        if step == Step::Go && world.faults == self.faults {
            while world.next().is_some() {
                world.go(None);
                world.judge();
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never do two acknowledge", |_, world: &World| !world.both_acknowledged),
            Property::always("never do two serve", |_, world: &World| !world.both_served),
            Property::always("nothing acknowledged is lost", |_, world: &World| !world.lost),
            Property::always("one leads again", |site: &Site, world: &World| {
                !site.is_last(world) || world.leads_again()
            }),
            Property::sometimes("the other one led", |_, world: &World| {
                world.machine(geminios_failover_core::Side::B).serves()
            }),
            Property::sometimes("one led alone", |_, world: &World| {
                SIDES.iter().any(|side| world.machine(*side).serves() && world.machine(*side).lax)
            }),
        ]
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.clock <= World::PAIRED + self.ticks
    }
}

impl Site {
    fn is_last(&self, world: &World) -> bool {
        world.clock == World::PAIRED + self.ticks && world.next().is_none()
    }
}

/// With so many faults in so many ticks after the pair was there, or as the environment says.
fn check(decides: Decides, faults: u8, ticks: u64) {
    let begun = Instant::now();
    let bound = |name, otherwise| std::env::var(name).map_or(otherwise, |value| value.parse().unwrap());
    let faults = u8::try_from(bound("GEMINIOS_FAILOVER_FAULTS", faults.into())).unwrap();
    let ticks = bound("GEMINIOS_FAILOVER_TICKS", ticks);
    let site = Site { decides, faults, ticks };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let checker = site.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!(
        "{decides:?}, {faults} faults in {ticks} ticks: {} states, {} of them different, {:.0} s",
        checker.state_count(),
        checker.unique_state_count(),
        begun.elapsed().as_secs_f32()
    );
    for (name, path) in checker.discoveries() {
        if name.starts_with("never") || name.starts_with("nothing") || name.starts_with("one leads") {
            let told = path.into_vec();
            for (world, step) in &told {
                println!("{:?}\n    {}", step, world.told());
            }
            panic!("{decides:?}: not kept: {name}");
        }
    }
    for name in ["the other one led", "one led alone"] {
        assert!(checker.discovery(name).is_some(), "{decides:?}: {name}");
    }
}

#[test]
fn a_site_with_a_witness() {
    check(Decides::Witness, 1, 12);
}

#[test]
fn a_site_with_fencing() {
    check(Decides::Fence, 1, 12);
}

#[test]
fn a_site_where_the_standby_decides() {
    check(Decides::Standby, 1, 12);
}

#[test]
fn a_site_where_a_person_decides() {
    check(Decides::Person, 1, 12);
}

#[test]
fn two_things_go_wrong_within_moments() {
    check(Decides::Witness, 2, 5);
    check(Decides::Standby, 2, 5);
}
