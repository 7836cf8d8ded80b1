//! The stories, each cut everywhere.

use std::sync::atomic::{AtomicUsize, Ordering};

use geminios_slots::{BlsCount, Refusal, Slot, State, plan_mark_bad};

use crate::cut::{Density, sweep};
use crate::machine::Op;
use crate::updater::{End, Running, State0, blessed, finish};
use crate::world::System;

/// A story: from `before`, `act` is done and cut; then one of `boots` runs and `goal` is reached.
pub struct Story<'a> {
    pub name: &'static str,
    pub before: State0,
    pub systems: Vec<&'a System>,
    pub act: Box<dyn Fn(&mut Running<'_>) + 'a>,
    pub boots: Vec<&'a System>,
    pub end: End0<'a>,
}

/// How a story ends after a cut.
pub enum End0<'a> {
    /// This one runs blessed.
    Reached(&'a System),
    /// Whatever runs now is asked to roll back until this one runs blessed.
    RolledBack(&'a System),
    /// This one runs and knows that the other failed.
    Failed { runs: &'a System, failed: &'a System },
}

/// Cuts a story; gives the number of cuts.
pub fn cut(story: &Story<'_>, density: Density, lose_journal: bool) -> Result<usize, String> {
    let (before, ops) = record(story)?;
    let mut judge = |mut state: State0, place: &str| {
        if lose_journal {
            state.journal = None;
        }
        judge(story, state, lose_journal).map_err(|why| format!("{}, {place}: {why}", story.name))
    };
    sweep(&before, &ops, density, &mut judge)
}

fn record(story: &Story<'_>) -> Result<(State0, Vec<Op>), String> {
    let mut running = story.before.start(&story.systems)?;
    // The state after booting, before the updater did anything.
    let before = running.off();
    (story.act)(&mut running);
    let ops = running.device.machine.borrow().ops.clone();
    Ok((before, ops))
}

fn judge(story: &Story<'_>, state: State0, journal_lost: bool) -> Result<(), String> {
    let running = state.start(&story.systems)?;
    if !story.boots.iter().any(|system| system.version == running.booted.version) {
        return Err(format!("{} was started", running.booted.version));
    }
    match &story.end {
        End0::Reached(goal) => finish(state, &story.systems, goal).map(drop),
        End0::RolledBack(goal) => roll_back(state, &story.systems, goal),
        End0::Failed { runs, failed } => fallen(&state, &story.systems, runs, failed, journal_lost),
    }
}

fn roll_back(mut state: State0, systems: &[&System], goal: &System) -> Result<(), String> {
    for _ in 0..4 {
        let mut running = state.start(systems)?;
        running.settle()?;
        if running.booted.version == goal.version {
            return finish(state, systems, goal).map(drop);
        }
        running.rollback().map_err(|end| format!("rollback: {end}"))?;
        state = running.off();
    }
    Err("it does not roll back".into())
}

fn fallen(
    state: &State0,
    systems: &[&System],
    runs: &System,
    failed: &System,
    journal_lost: bool,
) -> Result<(), String> {
    let mut running = state.start(systems)?;
    running.settle()?;
    if running.booted.version == failed.version {
        // Cut before it was given up: it is still unhealthy.
        running
            .act(|seen| plan_mark_bad(seen, &BlsCount, "unhealthy"), &|steps| steps, None)
            .map_err(|end| format!("mark bad: {end}"))?;
        running = running.off().start(systems)?;
        running.settle()?;
    }
    if running.booted.version != runs.version {
        return Err(format!("{} runs", running.booted.version));
    }
    // Where the journal was lost after the entry had gone, nothing tells of the failure any more.
    match running.install(failed) {
        Err(End::Refused(Refusal::FailedBefore { .. })) => Ok(()),
        Err(End::Refused(Refusal::CounterUnproven)) | Ok(_) if journal_lost => Ok(()),
        other => Err(format!("the failed version: {other:?}")),
    }
}

pub fn installed(before: &State0, systems: &[&System], goal: &System) -> State0 {
    finish(before.clone(), systems, goal).unwrap()
}

/// Boots the armed system so often without its getting healthy.
pub fn boots_in_vain(mut state: State0, systems: &[&System], armed: &System, times: usize) -> State0 {
    for _ in 0..times {
        let running = state.start(systems).unwrap();
        assert_eq!(running.booted.version, armed.version);
        state = running.off();
    }
    state
}

pub struct Systems {
    pub one: System,
    pub two: System,
    pub three: System,
    pub four: System,
}

pub fn systems() -> Systems {
    let [one, two, three, four] = ["1", "2", "3", "4"].map(System::new);
    Systems { one, two, three, four }
}

/// Armed but not started yet.
pub fn armed(before: &State0, systems: &[&System], system: &System) -> State0 {
    let mut running = before.start(systems).unwrap();
    running.settle().unwrap();
    running.install(system).unwrap();
    running.off()
}

/// Half-written: the source broke off within the root.
pub fn half_written(before: &State0, systems: &[&System], system: &System) -> State0 {
    let mut running = before.start(systems).unwrap();
    running.settle().unwrap();
    let mut short = system.clone();
    short.root.truncate(150 << 10);
    let release = system.release();
    let plan = |seen: &geminios_slots::Observed| {
        geminios_slots::plan_install(seen, &BlsCount, &release, crate::updater::NORMAL)
    };
    assert!(matches!(running.act(plan, &|steps| steps, Some(&short)), Err(End::Failed(_))));
    assert_eq!(running.state(Slot::B), State::Writing);
    running.off()
}

fn install<'a>(goal: &'a System) -> Box<dyn Fn(&mut Running<'_>) + 'a> {
    Box::new(move |running| {
        running.settle().unwrap();
        running.install(goal).unwrap();
    })
}

pub fn stories(s: &Systems) -> Vec<Story<'_>> {
    let Systems { one, two, three, four } = s;
    let first = blessed(one);
    let second = installed(&first, &[one, two], two);
    let third = installed(&second, &[one, two, three], three);
    let bless = || -> Box<dyn Fn(&mut Running<'_>)> {
        Box::new(|running| {
            running.settle().unwrap();
            assert!(!running.bless().unwrap().is_empty());
        })
    };
    fn story<'a>(
        name: &'static str,
        before: &State0,
        act: Box<dyn Fn(&mut Running<'_>) + 'a>,
        systems: &[&'a System],
        boots: &[&'a System],
        end: End0<'a>,
    ) -> Story<'a> {
        let (before, systems, boots) = (before.clone(), systems.to_vec(), boots.to_vec());
        Story { name, before, systems, act, boots, end }
    }
    let tried = boots_in_vain(armed(&first, &[one, two], two), &[one, two], two, 3);
    let other_version: Box<dyn Fn(&mut Running<'_>)> = Box::new(move |running| {
        running.settle().unwrap();
        running.install(three).unwrap();
    });
    vec![
        story(
            "first boot is blessed",
            &State0 { pages: crate::world::factory(one), journal: None },
            bless(),
            &[one],
            &[one],
            End0::Reached(one),
        ),
        story(
            "install into an empty slot",
            &first,
            install(two),
            &[one, two],
            &[one, two],
            End0::Reached(two),
        ),
        story(
            "install over an old version",
            &second,
            install(three),
            &[one, two, three],
            &[two, three],
            End0::Reached(three),
        ),
        story(
            "go on with a half-written slot",
            &half_written(&first, &[one, two], two),
            install(two),
            &[one, two],
            &[one, two],
            End0::Reached(two),
        ),
        story(
            "another version over a half-written one",
            &half_written(&first, &[one, two], two),
            other_version,
            &[one, two, three],
            &[one, three],
            End0::Reached(three),
        ),
        story(
            "a newer version over an armed one",
            &first,
            Box::new(move |running| {
                running.settle().unwrap();
                running.install(two).unwrap();
                running.settle().unwrap();
                running.install(three).unwrap();
            }),
            &[one, two, three],
            &[one, two, three],
            End0::Reached(three),
        ),
        story(
            "the third update in a row",
            &third,
            install(four),
            &[two, three, four],
            &[three, four],
            End0::Reached(four),
        ),
        story(
            "a new version is blessed",
            &armed(&first, &[one, two], two),
            bless(),
            &[one, two],
            &[one, two],
            End0::Reached(two),
        ),
        story(
            "rollback",
            &second,
            Box::new(|running| {
                running.settle().unwrap();
                running.rollback().unwrap();
            }),
            &[one, two],
            &[one, two],
            End0::RolledBack(one),
        ),
        story(
            "a version that is unhealthy is given up",
            &armed(&first, &[one, two], two),
            Box::new(|running| {
                running.settle().unwrap();
                running
                    .act(|seen| plan_mark_bad(seen, &BlsCount, "unhealthy"), &|steps| steps, None)
                    .unwrap();
            }),
            &[one, two],
            &[one, two],
            End0::Failed { runs: one, failed: two },
        ),
        story(
            "tries ran out",
            &tried,
            Box::new(|running| running.settle().unwrap()),
            &[one, two],
            &[one],
            End0::Failed { runs: one, failed: two },
        ),
    ]
}

/// Cuts all stories, twice; on two cores, since a story knows nothing of another.
fn all(density: Density) -> usize {
    let next = AtomicUsize::new(0);
    let work = || {
        let systems = systems();
        let stories = stories(&systems);
        let mut total = 0;
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some(story) = stories.get(job / 2) else { return total };
            let lose_journal = job % 2 == 1;
            let cuts = cut(story, density, lose_journal).unwrap_or_else(|why| panic!("{why}"));
            println!("{cuts:>7} cuts: {}{}", story.name, if lose_journal { ", journal lost" } else { "" });
            total += cuts;
        }
    };
    let total = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work() + other.join().unwrap()
    });
    println!("{total:>7} cuts");
    total
}

#[test]
fn every_cut_boots_old_or_new_and_goes_on() {
    let cuts = all(Density { from: 0, every: 3, mixed: 1 });
    assert!(cuts >= 2000, "only {cuts} cuts");
}

/// GEMINIOS_CUTS says how many at least; the figures of the README are from 100,000.
#[test]
#[ignore = "takes a quarter of an hour"]
fn a_long_run_of_cuts() {
    let wanted: usize = std::env::var("GEMINIOS_CUTS").map_or(100_000, |n| n.parse().unwrap());
    let least = all(Density { from: 0, every: 1, mixed: 0 });
    let each = all(Density { from: 0, every: 1, mixed: 1 }) - least;
    // Some mixtures come twice, and count once.
    let mixed = (wanted.saturating_sub(least) * 6 / 5).div_ceil(each.max(1)) as u64;
    let cuts = all(Density { from: 0, every: 1, mixed });
    assert!(cuts >= wanted, "only {cuts} cuts");
}
