//! Each rule of the order, broken once: the harness must find it. A harness that finds nothing proves nothing.

use geminios_slots::{BlsCount, Step, plan_bless, plan_install};

use crate::cut::{Density, sweep};
use crate::device::{TestDevice, fresh};
use crate::machine::{Faults, Machine};
use crate::scenarios::{Systems, systems};
use crate::updater::{End, NORMAL, Running, State0, blessed, finish};
use crate::world::System;

const DENSITY: Density = Density { from: 0, every: 1, mixed: 3 };

type Change = dyn Fn(Vec<Step>) -> Vec<Step>;

/// Cuts what `act` does after a boot of `before` and says what the first cut that goes wrong does.
fn found(
    before: &State0,
    systems: &[&System],
    goal: &System,
    faults: Faults,
    act: &dyn Fn(&mut Running<'_>),
) -> Result<usize, String> {
    let mut running = before.start_with(systems, faults).unwrap();
    let before = running.off();
    act(&mut running);
    let ops = running.device.machine.borrow().ops.clone();
    let mut judge = |state: State0, place: &str| -> Result<(), String> {
        state.start(systems).map_err(|why| format!("{place}: does not boot: {why}"))?;
        finish(state, systems, goal).map(drop).map_err(|why| format!("{place}: {why}"))
    };
    sweep(&before, &ops, DENSITY, &mut judge)
}

fn install(running: &mut Running<'_>, system: &System, change: &Change) -> Result<(), End> {
    let release = system.release();
    running.act(|seen| plan_install(seen, &BlsCount, &release, NORMAL), change, Some(system)).map(drop)
}

/// Version 3 over version 2, which is armed and would be started first: the hardest place for a wrong order.
fn over_armed(change: &'static Change, faults: Faults) -> Result<usize, String> {
    let Systems { one, two, three, .. } = systems();
    let first = blessed(&one);
    found(&first, &[&one, &two, &three], &three, faults, &|running| {
        running.settle().unwrap();
        install(running, &two, &|steps| steps).unwrap();
        running.settle().unwrap();
        install(running, &three, change).unwrap();
    })
}

fn bless_first(change: &'static Change) -> Result<usize, String> {
    let one = System::new("1");
    let factory = State0 { pages: crate::world::factory(&one), journal: None };
    found(&factory, &[&one], &one, Faults::default(), &|running| {
        running.settle().unwrap();
        running.act(|seen| plan_bless(seen, &BlsCount), change, None).unwrap();
    })
}

fn must_fail(result: Result<usize, String>, why: &str) {
    let seen = result.expect_err("the harness did not find the mutation");
    println!("found: {seen}");
    assert!(seen.contains(why), "found for another reason: {seen}");
}

fn without(steps: Vec<Step>, mut drop: impl FnMut(&Step) -> bool) -> Vec<Step> {
    let before = steps.len();
    let kept: Vec<Step> = steps.into_iter().filter(|step| !drop(step)).collect();
    assert!(kept.len() < before, "nothing was left out");
    kept
}

/// The steps from the first that `is` on, in the place before `before`.
fn moved(mut steps: Vec<Step>, is: impl Fn(&Step) -> bool, before: impl Fn(&Step) -> bool) -> Vec<Step> {
    let from = steps.iter().position(is).unwrap();
    let tail = steps.split_off(from);
    let at = steps.iter().position(before).unwrap();
    steps.splice(at..at, tail);
    steps
}

#[test]
fn the_plans_themselves_pass() {
    over_armed(&|steps| steps, Faults::default()).unwrap();
    bless_first(&|steps| steps).unwrap();
}

#[test]
fn the_target_is_not_disarmed() {
    let change: &Change = &|steps| {
        let first = steps.iter().position(|step| matches!(step, Step::WriteImage { .. })).unwrap();
        let mut steps = steps;
        steps.drain(1..first);
        steps
    };
    must_fail(over_armed(change, Faults::default()), "does not match its hash tree");
}

#[test]
fn the_target_is_disarmed_but_not_synced() {
    let change: &Change = &|steps| {
        let first = steps.iter().position(|step| matches!(step, Step::WriteImage { .. })).unwrap();
        let (head, tail) = steps.split_at(first);
        let head = without(head.to_vec(), |step| matches!(step, Step::SyncFile(_) | Step::SyncFolder));
        [head, tail.to_vec()].concat()
    };
    must_fail(over_armed(change, Faults::default()), "does not boot");
}

#[test]
fn the_disk_is_never_flushed() {
    let faults = Faults { no_flush: true, ..Faults::default() };
    must_fail(over_armed(&|steps| steps, faults), "does not boot");
}

#[test]
fn both_tables_are_written_before_one_flush() {
    let change: &Change = &|mut steps| {
        let first = steps.iter().position(|step| matches!(step, Step::WriteTable(_))).unwrap();
        assert!(matches!(steps.remove(first + 1), Step::FlushDisk));
        steps
    };
    must_fail(over_armed(change, Faults::default()), "no GPT");
}

#[test]
fn the_kernel_is_armed_before_the_tables() {
    let change: &Change =
        &|steps| moved(steps, |s| matches!(s, Step::CreateUki { .. }), |s| matches!(s, Step::WriteTable(_)));
    must_fail(over_armed(change, Faults::default()), "PARTUUID");
}

#[test]
fn the_kernel_is_armed_before_the_root() {
    let change: &Change =
        &|steps| moved(steps, |s| matches!(s, Step::WriteTable(_)), |s| matches!(s, Step::WriteImage { .. }));
    must_fail(over_armed(change, Faults::default()), "does not boot");
}

#[test]
fn the_kernel_is_shown_before_it_is_synced() {
    let change: &Change = &|steps| {
        let create = steps.iter().position(|step| matches!(step, Step::CreateUki { .. })).unwrap();
        let (head, tail) = steps.split_at(create);
        let mut synced = 0;
        let tail = without(tail.to_vec(), |step| {
            let before_show = matches!(step, Step::SyncFile(_) | Step::SyncFolder);
            synced += usize::from(before_show);
            before_show && synced <= 2
        });
        [head.to_vec(), tail].concat()
    };
    must_fail(over_armed(change, Faults::default()), "its boot entry is gone");
}

#[test]
fn the_old_name_goes_before_the_blessed_one_is_shown() {
    let change: &Change = &|mut steps| {
        let show = steps.iter().position(|step| matches!(step, Step::ShowUki(_))).unwrap();
        let shown: Vec<Step> = steps.drain(show..show + 2).collect();
        let record = steps.len() - 1;
        steps.splice(record..record, shown);
        steps
    };
    must_fail(bless_first(change), "no entry");
}

#[test]
fn the_blessed_copy_is_not_synced() {
    let change: &Change = &|steps| {
        let show = steps.iter().position(|step| matches!(step, Step::ShowUki(_))).unwrap();
        let (head, tail) = steps.split_at(show);
        [without(head.to_vec(), |s| matches!(s, Step::SyncFile(_) | Step::SyncFolder)), tail.to_vec()]
            .concat()
    };
    must_fail(bless_first(change), "does not boot");
}

/// A folder with so many entries more: at some number the next long name spans two sectors.
fn crowded(state: &State0, entries: usize) -> State0 {
    let device = fresh(state.pages.clone(), None);
    // A folder that was in use: behind them are removed entries, not its end.
    for n in 0..40 {
        device.volume.write(format!("EFI/Linux/FILE{n}.CNF"), []).unwrap();
    }
    for n in entries..40 {
        device.volume.remove_file(format!("EFI/Linux/FILE{n}.CNF")).unwrap();
    }
    device.volume.lock().unwrap().sync().unwrap();
    let pages = device.machine.borrow().pages.clone();
    State0 { pages, journal: state.journal.clone() }
}

fn into_crowded(by_rename: bool) -> Result<usize, String> {
    let Systems { one, two, .. } = systems();
    let (first, systems) = (blessed(&one), [&one, &two]);
    let mut cuts = 0;
    for entries in 0..16 {
        let mut running = crowded(&first, entries).start(&systems).unwrap();
        let before = running.off();
        running.device.by_rename = by_rename;
        install(&mut running, &two, &|steps| steps).unwrap();
        let ops = running.device.machine.borrow().ops.clone();
        // From where the kernel is made.
        let from = ops.iter().position(|op| matches!(op, crate::machine::Op::Esp(..))).unwrap();
        cuts += sweep(&before, &ops, Density { from, every: 1, mixed: 6 }, &mut |state, place| {
            let running = state.start(&systems).map_err(|why| format!("{place}: does not boot: {why}"))?;
            if running.booted.version == "2" && !running.booted.file.contains('+') {
                return Err(format!("{place}: version 2 runs as {}, without a counter", running.booted.file));
            }
            Ok(())
        })?;
    }
    Ok(cuts)
}

#[test]
fn a_name_that_spans_two_sectors_is_safe() {
    into_crowded(false).unwrap();
}

/// What the crate does not do. Half a rename leaves the 8.3 name alone: a new version without tries.
#[test]
fn a_rename_instead_of_two_bytes() {
    must_fail(into_crowded(true), "without a counter");
}

/// A disk that acknowledges one write and loses it.
fn lying(write: usize, change: &Change, all: &Systems, state: &State0) -> (bool, Result<(), String>) {
    let (two, systems) = (&all.two, [&all.one, &all.two]);
    let mut pages = state.pages.clone();
    crate::boot::boot(&mut pages, &systems, true).unwrap();
    let faults = Faults { lie: Some(write), ..Faults::default() };
    let device = TestDevice::new(Machine::new(pages, state.journal.clone(), faults));
    let booted = crate::boot::Booted { version: "1".into(), file: String::new() };
    let mut running = Running::new(device, booted, &systems);
    let noticed = install(&mut running, two, change).is_err();
    let lied = running.device.machine.borrow().writes > write;
    (lied, if noticed { Ok(()) } else { running.off().start(&systems).map(drop) })
}

#[test]
fn a_disk_that_loses_one_write_is_noticed() {
    let (all, mut writes) = (systems(), 0);
    let state = blessed(&all.one);
    while let (true, result) = lying(writes, &|steps| steps, &all, &state) {
        result.unwrap_or_else(|why| panic!("write {writes}: {why}"));
        writes += 1;
    }
    assert!(writes > 50, "only {writes} writes");
}

#[test]
fn nothing_is_read_back_from_a_disk_that_loses_one_write() {
    let change: &Change = &|steps| without(steps, |step| matches!(step, Step::VerifySlot { .. }));
    let all = systems();
    let state = blessed(&all.one);
    let (_, result) = lying(3, change, &all, &state);
    must_fail(result.map(|()| 0), "does not match its hash tree");
    let change: &Change = &|steps| without(steps, |step| matches!(step, Step::CheckUki { .. }));
    let mut writes = 0;
    let bad = loop {
        match lying(writes, change, &all, &state) {
            (true, Err(why)) => break why,
            (true, Ok(())) => writes += 1,
            (false, _) => panic!("the harness did not find the mutation"),
        }
    };
    println!("found: write {writes}: {bad}");
}
