//! Plans as people read them: the order is the promise.

use geminios_slots::{BlsCount, Step, plan_bless, plan_install, plan_rollback};

use crate::scenarios::{Systems, armed, half_written, installed, systems};
use crate::updater::{NORMAL, blessed};

/// Root hashes change with the test's bytes; their place is what counts.
fn text(steps: &[Step], systems: &Systems) -> String {
    let lines: String = steps.iter().map(|step| format!("{step}\n")).collect();
    let known = [(&systems.one, "HASH1"), (&systems.two, "HASH2"), (&systems.three, "HASH3")];
    known.iter().fold(lines, |lines, (system, name)| lines.replace(&system.hash.to_string(), name))
}

#[test]
fn an_update_over_an_old_version() {
    let s = systems();
    let systems = [&s.one, &s.two];
    let mut running = installed(&blessed(&s.one), &systems, &s.two).start(&systems).unwrap();
    let plan = plan_install(&running.observe(), &BlsCount, &s.three.release(), NORMAL).unwrap();
    let (root, verity, uki) = (s.three.root.len(), s.three.verity.len(), s.three.uki.len());
    let expected = format!(
        "journal: began to write 3 to slot A
hide geminios_1.efi
sync geminios_1.efi
remove geminios_1.efi
sync the folder
write root, {root} bytes, at 36700160
flush the disk
write verity, {verity} bytes, at 36962304
flush the disk
verify root and verity against HASH3
journal: root and verity are on the disk and were read back
write the backup partition table: slot A is HASH3
flush the disk
check the backup partition table
write the primary partition table: slot A is HASH3
flush the disk
check the primary partition table
write hidden geminios_3+3.efi, {uki} bytes
sync geminios_3+3.efi
sync the folder
check hidden geminios_3+3.efi
show geminios_3+3.efi
sync geminios_3+3.efi
journal: armed 3 in slot A
"
    );
    assert_eq!(text(&plan, &s), expected);
}

#[test]
fn going_on_where_a_cut_stopped() {
    let s = systems();
    let systems = [&s.one, &s.two];
    let mut running = half_written(&blessed(&s.one), &systems, &s.two).start(&systems).unwrap();
    running.settle().unwrap();
    let plan = plan_install(&running.observe(), &BlsCount, &s.two.release(), NORMAL).unwrap();
    let first =
        format!("write root, {} bytes, at 37027840, 131072 of them there already\n", s.two.root.len());
    assert!(text(&plan, &s).starts_with(&first), "{}", text(&plan, &s));
}

#[test]
fn blessing_and_rolling_back() {
    let s = systems();
    let systems = [&s.one, &s.two];
    let mut running = armed(&blessed(&s.one), &systems, &s.two).start(&systems).unwrap();
    let plan = plan_bless(&running.observe(), &BlsCount).unwrap();
    let expected = "copy geminios_2+2-1.efi to hidden geminios_2.efi
sync geminios_2.efi
sync the folder
check hidden geminios_2.efi against geminios_2+2-1.efi
show geminios_2.efi
sync geminios_2.efi
hide geminios_2+2-1.efi
sync geminios_2+2-1.efi
remove geminios_2+2-1.efi
sync the folder
journal: blessed 2 in slot B
";
    assert_eq!(text(&plan, &s), expected);
    running.bless().unwrap();
    let plan = plan_rollback(&running.observe(), &BlsCount).unwrap();
    let expected = "journal: rolled back from 2 to 1
journal: 2 failed: it was rolled back
copy geminios_1.efi to hidden geminios_1+3.efi
sync geminios_1+3.efi
sync the folder
check hidden geminios_1+3.efi against geminios_1.efi
show geminios_1+3.efi
sync geminios_1+3.efi
hide geminios_1.efi
sync geminios_1.efi
remove geminios_1.efi
sync the folder
copy geminios_2.efi to hidden geminios_2+0.efi
sync geminios_2+0.efi
sync the folder
check hidden geminios_2+0.efi against geminios_2.efi
show geminios_2+0.efi
sync geminios_2+0.efi
hide geminios_2.efi
sync geminios_2.efi
remove geminios_2.efi
sync the folder
";
    assert_eq!(text(&plan, &s), expected);
}

#[test]
fn refusals_say_what_why_and_what_to_do() {
    let s = systems();
    let systems = [&s.one, &s.two];
    let state = blessed(&s.one);
    let refuse = |state: &crate::updater::State0, release: &geminios_slots::Release| {
        let mut running = state.start(&systems).unwrap();
        running.settle().unwrap();
        plan_install(&running.observe(), &BlsCount, release, NORMAL).unwrap_err().to_string()
    };
    let (one, two) = (s.one.release(), s.two.release());
    let named = |version: &str| geminios_slots::Release { version: version.into(), ..two.clone() };
    let on_trial = armed(&state, &systems, &s.two);
    let not_started = |state| {
        let mut running = crate::updater::State0::start(state, &systems[..1]).unwrap();
        running.settle().unwrap();
        running.install(&s.two).unwrap();
        plan_install(&running.observe(), &BlsCount, &two, NORMAL).unwrap_err().to_string()
    };
    let table = [
        (refuse(&state, &one), "version 1 runs already\n  help: nothing is to be done"),
        (
            refuse(&state, &named("1")),
            "version 1 would not be started: the boot loader takes the greatest version, and 1 runs\n  help: to go back, use `geminios-updater rollback`; else publish it under a greater version",
        ),
        (
            refuse(&state, &named("2+1")),
            "`2+1` cannot be a version: 1 to 64 of letters, digits and `.~^-` are, a letter or digit first\n  help: publish the release under another version",
        ),
        (
            refuse(&on_trial, &s.three.release()),
            "the running version 2 is not blessed yet, so the other slot is all there is to fall back to\n  help: wait until its health checks have passed; `geminios-updater status` names the one that has not",
        ),
        (
            not_started(&state),
            "version 2 is in slot B already and waits to be started\n  help: restart the machine",
        ),
    ];
    for (seen, expected) in table {
        assert_eq!(seen, expected);
    }
}
