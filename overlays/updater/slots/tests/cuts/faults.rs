//! What is no cut: errors, full and read-only file systems, slots that are too small, sources that lie.

use geminios_slots::plan::Policy;
use geminios_slots::{BlsCount, Refusal, Slot, State, plan_install};

use crate::machine::Faults;
use crate::scenarios::{Systems, armed, boots_in_vain, installed, systems};
use crate::updater::{End, NORMAL, State0, blessed, finish};
use crate::world::System;

#[test]
fn an_error_of_each_operation_leaves_a_system_that_boots_and_goes_on() {
    let Systems { one, two, three, .. } = systems();
    let systems = [&one, &two, &three];
    let before = installed(&blessed(&one), &[&one, &two], &two);
    let mut failed = 0;
    for operation in 0.. {
        let faults = Faults { fail: Some(operation), ..Faults::default() };
        let mut running = before.start_with(&systems, faults).unwrap();
        let result = running.install(&three);
        if running.device.machine.borrow().operations <= operation {
            result.unwrap();
            break;
        }
        // A failed sync of FSInfo or of the dirty bit alone may go unnoticed.
        failed += usize::from(result.is_err());
        let state = running.off();
        let version =
            state.start(&systems).unwrap_or_else(|why| panic!("operation {operation}: {why}")).booted.version;
        assert!(version == "2" || version == "3", "operation {operation}: {version}");
        finish(state, &systems, &three).unwrap_or_else(|why| panic!("operation {operation}: {why}"));
    }
    println!("{failed} failed operations");
    assert!(failed > 100, "only {failed}");
}

#[test]
fn tries_run_out_and_the_failed_version_is_not_tried_again_by_itself() {
    let Systems { one, two, three, .. } = systems();
    let systems = [&one, &two, &three];
    let state = armed(&blessed(&one), &systems, &two);
    let state = boots_in_vain(state, &systems, &two, 3);
    let mut running = state.start(&systems).unwrap();
    assert_eq!(running.booted.file, "geminios_1.efi");
    running.settle().unwrap();
    let reason = "its tries ran out: it did not start, or was not healthy in time";
    assert_eq!(running.state(Slot::B), State::Bad(reason.into()));
    assert_eq!(crate::boot::files(&running.off().pages), ["geminios_1.efi"]);
    let failed = Refusal::FailedBefore { version: "2".into(), reason: reason.into() };
    assert!(matches!(running.install(&two), Err(End::Refused(refusal)) if refusal == failed));
    // By force it may be tried, and a greater version needs none.
    let release = two.release();
    let forced = Policy { force: true };
    running.act(|seen| plan_install(seen, &BlsCount, &release, forced), &|steps| steps, Some(&two)).unwrap();
    let state = finish(running.off(), &systems, &two).unwrap();
    finish(state, &systems, &three).unwrap();
}

#[test]
fn the_reason_that_health_gives_survives_the_fallback() {
    let Systems { one, two, .. } = systems();
    let systems = [&one, &two];
    let mut running = armed(&blessed(&one), &systems, &two).start(&systems).unwrap();
    running.settle().unwrap();
    running
        .act(
            |seen| geminios_slots::plan_mark_bad(seen, &BlsCount, "postgresql.service failed"),
            &|steps| steps,
            None,
        )
        .unwrap();
    let mut running = running.off().start(&systems).unwrap();
    assert_eq!(running.booted.file, "geminios_1.efi");
    running.settle().unwrap();
    assert_eq!(running.state(Slot::B), State::Bad("postgresql.service failed".into()));
}

#[test]
fn rollback_falls_back_to_the_newer_version_if_the_older_does_not_come_up() {
    let Systems { one, two, .. } = systems();
    let systems = [&one, &two];
    let mut running = installed(&blessed(&one), &systems, &two).start(&systems).unwrap();
    running.settle().unwrap();
    running.rollback().unwrap();
    let state = boots_in_vain(running.off(), &systems, &one, 3);
    let mut running = state.start(&systems).unwrap();
    assert_eq!(running.booted.version, "2");
    running.settle().unwrap();
    running.bless().unwrap();
    running.settle().unwrap();
    let state = running.off();
    assert_eq!(crate::boot::files(&state.pages), ["geminios_2.efi"]);
    assert_eq!(state.start(&systems).unwrap().booted.file, "geminios_2.efi");
}

#[test]
fn no_room_on_the_esp_is_refused_before_anything_is_written() {
    let Systems { one, two, .. } = systems();
    let systems = [&one, &two];
    let mut running = blessed(&one).start(&systems).unwrap();
    running.settle().unwrap();
    let room = running.observe().esp_room;
    running.device.volume.write("foreign", vec![0; room as usize - (150 << 10)]).unwrap();
    let written = running.device.machine.borrow().writes;
    let result = running.install(&two);
    assert!(matches!(result, Err(End::Refused(Refusal::EspFull { .. }))), "{result:?}");
    assert_eq!(running.device.machine.borrow().writes, written);
}

#[test]
fn a_read_only_esp_is_refused_before_anything_is_written() {
    let Systems { one, two, .. } = systems();
    let systems = [&one, &two];
    let faults = Faults { read_only_esp: true, ..Faults::default() };
    let mut running = blessed(&one).start_with(&systems, faults).unwrap();
    let result = running.install(&two);
    assert!(matches!(result, Err(End::Refused(Refusal::EspReadOnly))), "{result:?}");
    assert_eq!(running.device.machine.borrow().ops.len(), 0);
}

#[test]
fn an_image_larger_than_its_slot_is_refused_before_anything_is_written() {
    let Systems { one, mut two, .. } = systems();
    two.root.resize(crate::world::ROOT_SIZE + 4096, 0);
    let systems = [&one];
    let mut running = blessed(&one).start(&systems).unwrap();
    let result = running.install(&two);
    assert!(matches!(result, Err(End::Refused(Refusal::SlotTooSmall { .. }))), "{result:?}");
    assert_eq!(running.device.machine.borrow().ops.len(), 0);
}

#[test]
fn a_source_with_other_bytes_is_noticed_and_nothing_is_armed() {
    let Systems { one, two, three, .. } = systems();
    let systems = [&one, &two, &three];
    let release = two.release();
    type Swap = fn(&mut System, &System);
    let swaps: [Swap; 5] = [
        |two, _| two.root[70_000] ^= 1,
        |two, _| two.verity[5000] ^= 1,
        |two, _| two.uki[9000] ^= 1,
        |two, three| two.uki = three.uki.clone(),
        |two, _| two.root.extend([0; 4096]),
    ];
    for swap in swaps {
        let mut other = two.clone();
        swap(&mut other, &three);
        let mut running = blessed(&one).start(&systems).unwrap();
        let plan = |seen: &geminios_slots::Observed| plan_install(seen, &BlsCount, &release, NORMAL);
        assert!(matches!(running.act(plan, &|steps| steps, Some(&other)), Err(End::Failed(_))));
        let state = running.off();
        assert_eq!(state.start(&systems).unwrap().booted.file, "geminios_1.efi");
        finish(state, &systems, &two).unwrap();
    }
}

/// A release whose parts are whole but not of each other: the sums are right, the tree is not.
#[test]
fn a_release_of_parts_that_do_not_belong_together_is_not_armed() {
    let Systems { one, two, three, .. } = systems();
    let systems = [&one, &two, &three];
    let mixes = [
        System { verity: three.verity.clone(), ..two.clone() },
        System { uki: three.uki.clone(), ..two.clone() },
        System { hash: three.hash, ..two.clone() },
        System { version: "5".into(), ..two.clone() },
    ];
    for mix in mixes {
        let mut running = blessed(&one).start(&systems).unwrap();
        assert!(matches!(running.install(&mix), Err(End::Failed(_))), "{}", mix.version);
        assert_eq!(running.off().start(&systems).unwrap().booted.file, "geminios_1.efi");
    }
}

#[test]
fn a_firmware_whose_counter_stands_is_refused() {
    let Systems { one, two, .. } = systems();
    let systems = [&one, &two];
    let mut pages = crate::world::factory(&one);
    let booted = crate::boot::boot(&mut pages, &systems, false).unwrap();
    let mut running = crate::updater::Running::new(crate::device::fresh(pages, None), booted, &systems);
    running.settle().unwrap();
    running.bless().unwrap();
    let result = running.install(&two);
    assert!(matches!(result, Err(End::Refused(Refusal::CounterUnproven))), "{result:?}");
    // A probe on it proves nothing either; on one that counts it does.
    running.probe().unwrap();
    let State0 { mut pages, journal } = running.off();
    let booted = crate::boot::boot(&mut pages, &systems, false).unwrap();
    let mut running = crate::updater::Running::new(crate::device::fresh(pages, journal), booted, &systems);
    running.settle().unwrap();
    running.bless().unwrap();
    assert!(matches!(running.install(&two), Err(End::Refused(Refusal::CounterUnproven))));
    running.probe().unwrap();
    finish(running.off(), &systems, &two).unwrap();
}
