//! Two agents on two machines, in virtual time, with all that can go wrong: the same seed makes the same run.
//!
//! GEMINIOS_SIMULATOR_SEEDS: how many runs of each test. GEMINIOS_SIMULATOR_SEED: one run, and its story.

#![allow(clippy::unwrap_used)]

mod client;
mod disk;
mod faults;
mod fence;
mod hands;
mod judge;
mod machine;
mod network;
mod postgres;
mod scenes;
mod story;
mod stream;
mod time;
mod times;
mod witness;
mod world;

use std::io::Write as _;

use geminios_failover_core::Decides;

use world::{Kind, World};

/// Of each site's ordinary runs. Without optimization a run takes twenty times as long.
const SEEDS: u64 = if cfg!(debug_assertions) { 100 } else { 2500 };

const SITES: [Decides; 4] = [Decides::Witness, Decides::Fence, Decides::Standby, Decides::Person];

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect(name))
}

fn run(seed: u64, decides: Decides, kind: Kind, told: bool) -> World {
    let mut world = World::new(seed, decides, kind, told);
    world.brew();
    world.run();
    world
}

/// Each seed's run; the first that does not keep a promise is told.
fn runs(test: &str, seeds: u64, decides: Decides, kind: Kind) {
    if let Some(seed) = from_environment("GEMINIOS_SIMULATOR_SEED") {
        let world = run(seed, decides, kind, true);
        let _ = std::io::stdout().write_all(world.story.all().as_bytes());
        println!("seed {seed}: {}", world.judge.broken.as_deref().unwrap_or("all is kept"));
        return;
    }
    let (mut sums, mut fenced) = ([0; 11], 0);
    for seed in 0..from_environment("GEMINIOS_SIMULATOR_SEEDS").unwrap_or(seeds) {
        let world = run(seed, decides, kind, false);
        if let Some(broken) = &world.judge.broken {
            let told = run(seed, decides, kind, true);
            panic!(
                "{}\nseed {seed}: not kept: {broken}\n  again: GEMINIOS_SIMULATOR_SEED={seed} cargo test --release -p geminios-failover --test simulator {test} -- --nocapture",
                told.story.end(80)
            );
        }
        let judge = &world.judge;
        let counts = [
            1,
            world.time / time::SECOND,
            judge.writes() as u64,
            judge.leaders,
            judge.alone,
            judge.bites,
            judge.refused,
            u64::from(judge.excused),
            judge.believed,
            judge.restored,
            judge.put_back,
        ];
        fenced += judge.fenced;
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let [runs, seconds, writes, leaders, alone, bites, refused, excused, believed, restored, put_back] = sums;
    println!(
        "{decides:?}, {kind:?}: {runs} runs, {} h, {writes} writes acknowledged, {leaders} times another leader, {alone} times alone, \
         {bites} resets by the watchdog, {refused} datagrams refused, {excused} runs in which only a person could go on",
        seconds / 3600
    );
    match kind {
        Kind::LyingFence => println!("    {believed} lies that were told while the other one was silent"),
        Kind::OldWitness => println!("    restored {restored} times, {put_back} times put right by a leader"),
        _ => {}
    }
    assert!(leaders > runs / 10 && alone > runs / 4, "the runs are of no worth");
    let is_looked_at = decides == Decides::Fence && kind == Kind::Ordinary;
    assert!(fenced > 0 || !is_looked_at, "no node was ever called off");
}

#[test]
fn a_site_with_a_witness() {
    runs("a_site_with_a_witness", SEEDS, Decides::Witness, Kind::Ordinary);
}

#[test]
fn a_site_with_fencing() {
    runs("a_site_with_fencing", SEEDS, Decides::Fence, Kind::Ordinary);
}

#[test]
fn a_site_where_the_standby_decides() {
    runs("a_site_where_the_standby_decides", SEEDS, Decides::Standby, Kind::Ordinary);
}

#[test]
fn a_site_where_a_person_decides() {
    runs("a_site_where_a_person_decides", SEEDS, Decides::Person, Kind::Ordinary);
}

#[test]
fn a_witness_that_forgets() {
    runs("a_witness_that_forgets", SEEDS / 10, Decides::Witness, Kind::OldWitness);
}

#[test]
fn a_fence_that_lies() {
    runs("a_fence_that_lies", SEEDS / 10, Decides::Fence, Kind::LyingFence);
}

#[test]
fn clocks_that_are_far_off() {
    runs("clocks_that_are_far_off", SEEDS / 10, Decides::Witness, Kind::WrongClocks);
    runs("clocks_that_are_far_off", SEEDS / 10, Decides::Standby, Kind::WrongClocks);
}

#[test]
fn watchdogs_that_never_fire() {
    runs("watchdogs_that_never_fire", SEEDS / 10, Decides::Witness, Kind::DeadWatchdog);
    runs("watchdogs_that_never_fire", SEEDS / 10, Decides::Standby, Kind::DeadWatchdog);
}

#[test]
fn how_long_writes_wait() {
    println!("| what happens | witness | fence | standby | person |\n|---|---|---|---|---|");
    for (loss, name) in times::LOSSES {
        let cells = SITES.map(|decides| {
            let pauses: Vec<_> = (0..SEEDS / 25).map(|seed| times::pause(seed, decides, loss)).collect();
            times::spread(&pauses)
        });
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// It hears its standby, which says that it streams until its receiver gives up; and whose word nothing can be proposed to.
#[test]
fn a_leader_that_is_not_heard_goes_on_alone() {
    for seed in 0..SEEDS / 25 {
        let pause = times::pause(seed, Decides::Witness, times::Loss::NotHeard);
        assert!(pause.is_some_and(|pause| pause < 4 * time::SECOND), "seed {seed}: {pause:?}");
    }
}

#[test]
fn one_seed_is_one_run() {
    for decides in SITES {
        let [one, two, other] = [7, 7, 8].map(|seed| run(seed, decides, Kind::Ordinary, true).story.all());
        assert!(one.lines().count() > 500 && one != other);
        assert_eq!(one, two);
    }
}
