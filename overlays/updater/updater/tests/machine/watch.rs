//! The service, from the start of a machine to what is kept or given up.

use std::time::Duration;

use geminios_slots::Slot;
use geminios_updater::args::{Format, Verb};
use geminios_updater::health::{Phase, Report};
use geminios_updater::machine::Lock;

use crate::system::System;
use crate::world::{World, fails, says};

/// A device of which nothing but systemd is asked.
pub fn plain(first: &System) -> World {
    let world = World::new(first);
    world.write("/etc/geminios/health.toml", "without = [\"postgresql\", \"apiserver\", \"node\"]\n");
    world
}

/// Version 1 was blessed, and 2 is on trial after its first start.
pub fn on_trial() -> (World, System, System) {
    let (one, two) = (System::new("1.0.0"), System::new("2.0.0"));
    let world = plain(&one);
    world.boot("geminios_1.0.0+3.efi", &one);
    world.bless();
    world.install(&two);
    world.boot("geminios_2.0.0+3.efi", &two);
    (world, one, two)
}

#[test]
fn a_healthy_version_is_blessed_after_the_set_time() {
    let (world, ..) = on_trial();
    let said = world.run(&Verb::Watch);
    assert!(said.ends_with("version 2.0.0 is blessed: it starts from now on\n"), "{said}");
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi", "geminios_2.0.0.efi"]);
    assert!(world.uptime.get() >= Duration::from_secs(80), "20 s of start, 60 s of health");
    let report = Report::read(&world.paths().state()).unwrap();
    assert_eq!((report.phase, report.trial, report.version.as_str()), (Phase::Healthy, false, "2.0.0"));
    // The next start of it changes nothing.
    world.boot("geminios_2.0.0.efi", &System::new("2.0.0"));
    let said = world.run(&Verb::Watch);
    assert!(said.ends_with("version 2.0.0 is healthy, and was blessed already\n"), "{said}");
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi", "geminios_2.0.0.efi"]);
}

#[test]
fn one_that_does_not_become_healthy_is_given_up_with_its_reason() {
    let (world, one, _) = on_trial();
    world.answers.set("systemctl list-units", says("kine.service loaded failed failed Kine\n"));
    let said = world.run(&Verb::Watch);
    assert!(said.contains("version 2.0.0 is given up: check units: failed: kine.service"), "{said}");
    assert!(world.answers.ran.borrow().contains(&"systemctl reboot".to_owned()), "{said}");
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi"], "nothing starts version 2 any more");
    assert!(world.uptime.get() >= Duration::from_secs(900));

    world.boot("geminios_1.0.0.efi", &one);
    world.answers.set("systemctl list-units", says(""));
    world.run(&Verb::Watch);
    let status = world.run(&Verb::Status { format: Format::Text });
    assert!(status.contains("2.0.0: check units: failed: kine.service"), "{status}");
    let json: serde_json::Value =
        serde_json::from_str(&world.run(&Verb::Status { format: Format::Json })).unwrap();
    assert_eq!(json["failed"]["2.0.0"]["reason"], "check units: failed: kine.service");
    assert_eq!(json["failed"]["2.0.0"]["last_report"]["phase"], "given-up");
    assert_eq!((&json["slots"][0]["running"], &json["slots"][0]["state"]), (&true.into(), &"blessed".into()));
}

#[test]
fn a_restart_that_fails_is_forced() {
    let (world, ..) = on_trial();
    world.answers.set("systemctl list-units", fails("no bus"));
    world.answers.set("systemctl reboot", fails("no bus"));
    world.run(&Verb::Watch);
    let ran = world.answers.ran.borrow();
    let restarts: Vec<&str> =
        ran.iter().map(String::as_str).filter(|line| line.starts_with("systemctl reboot")).collect();
    assert_eq!(
        restarts,
        ["systemctl reboot", "systemctl reboot --force", "systemctl reboot --force --force"]
    );
}

/// It hangs or panics, three times; the loader starts version 1 again, and what the last report said is not lost.
#[test]
fn one_that_never_came_so_far_is_known_by_its_last_words() {
    let (world, one, two) = on_trial();
    let report = Report {
        version: "2.0.0".into(),
        trial: true,
        phase: Phase::Waiting,
        time: 1_795_780_830,
        deadline: None,
        checks: vec![geminios_updater::health::Verdict {
            name: "postgresql".into(),
            problem: Some("connection refused".into()),
        }],
    };
    report.store(&world.paths().state()).unwrap();
    world.boot("geminios_2.0.0+2-1.efi", &two);
    world.boot("geminios_2.0.0+1-2.efi", &two);
    world.boot("geminios_1.0.0.efi", &one);
    world.run(&Verb::Watch);
    let status = world.run(&Verb::Status { format: Format::Text });
    assert!(status.contains("2.0.0: its tries ran out"), "{status}");
    assert!(
        status.contains("its last words, 2026-11-27T12:00:30Z: check postgresql: connection refused"),
        "{status}"
    );
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi"]);
}

#[test]
fn the_only_version_there_is_gets_all_the_time_it_needs() {
    let one = System::new("1.0.0");
    let world = plain(&one);
    world.boot("geminios_1.0.0+3.efi", &one);
    world.answers.set("systemctl list-units", says("slow.service loaded failed failed Slow\n"));
    // Well again only long after the deadline.
    let answers = world.answers.clone();
    let uptime = world.uptime.clone();
    world.answers.when("systemctl is-system-running", move || {
        if uptime.get() > Duration::from_secs(3600) {
            answers.set("systemctl list-units", says(""));
        }
    });
    let said = world.run(&Verb::Watch);
    assert!(said.contains("not given up: the other slot is empty"), "{said}");
    assert!(said.ends_with("version 1.0.0 is blessed: it starts from now on\n"), "{said}");
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi"]);
}

#[test]
fn settings_that_cannot_be_read_make_a_version_fall_back() {
    let (world, ..) = on_trial();
    world.write("/etc/geminios/health.toml", "settle = \"soon\"\n");
    let said = world.run(&Verb::Watch);
    assert!(said.contains("version 2.0.0 is given up: check settings: "), "{said}");
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi"]);
}

#[test]
fn a_person_may_bless_or_leave_a_version_on_trial() {
    let (world, ..) = on_trial();
    world.answers.set("systemctl list-units", says("x.service loaded failed failed X\n"));
    let said = world.run(&Verb::Bless { now: true });
    assert!(
        said.contains("not blessed: check units: failed: x.service")
            || said.contains("not blessed: check units fails: failed: x.service"),
        "{said}"
    );
    let said = world.run(&Verb::Rollback);
    assert!(said.contains("the next start is version 1.0.0"), "{said}");
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi"]);
}

#[test]
fn rollback_and_probe() {
    let (world, one, two) = on_trial();
    world.run(&Verb::Bless { now: true });
    world.run(&Verb::Rollback);
    assert_eq!(world.kernels(), ["geminios_1.0.0+3.efi", "geminios_2.0.0+0.efi"]);
    world.boot("geminios_1.0.0+3.efi", &one);
    world.run(&Verb::Watch);
    let status = world.run(&Verb::Status { format: Format::Text });
    assert!(status.contains("2.0.0: it was rolled back"), "{status}");
    let _ = two;
    world.run(&Verb::Probe);
    let status = world.run(&Verb::Status { format: Format::Text });
    assert!(status.contains("boot counter  was never seen to move"), "{status}");
}

#[test]
fn an_older_version_that_is_not_healthy_either_makes_room_for_the_newer() {
    let (world, one, two) = on_trial();
    world.run(&Verb::Bless { now: true });
    world.run(&Verb::Rollback);
    world.answers.set("systemctl list-units", says("x.service loaded failed failed X\n"));
    for name in ["geminios_1.0.0+3.efi", "geminios_1.0.0+2-1.efi", "geminios_1.0.0+1-2.efi"] {
        world.boot(name, &one);
        world.answers.ran.borrow_mut().clear();
        let said = world.run(&Verb::Watch);
        assert!(said.contains("version 1.0.0 gets another try, if it has one: check units"), "{said}");
        assert!(world.answers.ran.borrow().contains(&"systemctl reboot".to_owned()));
    }
    assert_eq!(world.kernels(), ["geminios_1.0.0+0-3.efi", "geminios_2.0.0+0.efi"]);
    // Both are without tries, so the loader takes the greater version. There it ends.
    world.boot("geminios_2.0.0+0.efi", &two);
    world.answers.set("systemctl list-units", says(""));
    let said = world.run(&Verb::Watch);
    assert!(said.ends_with("version 2.0.0 is blessed: it starts from now on\n"), "{said}");
}

#[test]
fn status_while_another_updater_works() {
    let (world, ..) = on_trial();
    let host = world.host();
    let _held = Lock::take(&world.path("/run/geminios"), "install", Duration::ZERO, &*host.clock).unwrap();
    let status = world.run(&Verb::Status { format: Format::Text });
    assert!(status.contains("slots cannot be looked at while another updater works: process"), "{status}");
    assert!(status.contains("last event    armed 2.0.0 in slot B"), "{status}");
}

#[test]
fn a_bless_that_is_cut_is_finished_at_the_next_start() {
    let (world, _, two) = on_trial();
    // Two names for one system, as a cut between copy and removal leaves them.
    world.kernel("geminios_2.0.0.efi", &two.uki);
    world.boot("geminios_2.0.0.efi", &two);
    let said = world.run(&Verb::Watch);
    assert!(said.contains("recovered: hide geminios_2.0.0+2-1.efi"), "{said}");
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi", "geminios_2.0.0.efi"]);
    let mut machine = world.machine();
    assert_eq!(machine.observe().unwrap().running_slot(), Some(Slot::B));
}
