//! When a system is healthy, and what its checks ask.

use std::time::Duration;

use geminios_updater::health::{Checks, Config, Next, Trial, Verdict};
use geminios_updater::machine::{Host, Outcome, Programs};

use crate::system::System;
use crate::world::{World, fails, says};

/// The first that fails, of a device where all else is well.
fn problem(world: &World) -> Option<(String, String)> {
    let host = world.host();
    let (_, checks) = Checks::of(&host, host.image().unwrap().data);
    first_problem(checks.run(&host))
}

fn first_problem(round: Vec<Verdict>) -> Option<(String, String)> {
    round.into_iter().find_map(|verdict| Some((verdict.name, verdict.problem?)))
}

fn well() -> World {
    let world = World::new(&System::new("1.0.0"));
    world.write("/var/lib/kubernetes/node.env", "NODE_NAME=node-7\nNODE_IP=10.0.0.7\n");
    world.write("/proc/sys/kernel/random/boot_id", "b00t\n");
    world.answers.set(
        "kubectl --kubeconfig=/var/lib/kubernetes/admin.conf --request-timeout=30s get --raw=/readyz",
        says("ok"),
    );
    world.answers.set(
        "kubectl --kubeconfig=/var/lib/kubernetes/admin.conf --request-timeout=30s get node node-7",
        says("b00t True kubelet is posting ready status"),
    );
    world
}

#[test]
fn all_is_well_and_each_component_is_asked() {
    let world = well();
    assert_eq!(problem(&world), None);
    let ran = world.answers.ran.borrow();
    let programs: Vec<&str> = ran.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(programs, ["systemctl", "systemctl", "psql", "kubectl", "kubectl"]);
    assert!(ran[2].contains("INSERT INTO geminios_health"), "a read proves no write: {}", ran[2]);
}

#[test]
fn what_is_wrong_is_named() {
    let readyz =
        "kubectl --kubeconfig=/var/lib/kubernetes/admin.conf --request-timeout=30s get --raw=/readyz";
    let node = "kubectl --kubeconfig=/var/lib/kubernetes/admin.conf --request-timeout=30s get node node-7";
    let table: [(&str, Outcome, &str, &str); 11] = [
        ("systemctl is-system-running", says("starting\n"), "units", "the system is still starting"),
        (
            "systemctl is-system-running",
            fails("Failed to connect to bus"),
            "units",
            "systemctl is-system-running: Failed to connect to bus",
        ),
        ("systemctl is-system-running", says("maintenance\n"), "units", "the system is in state maintenance"),
        (
            "systemctl list-units",
            says("kine.service loaded failed failed Kine\nx.timer loaded failed failed X\n"),
            "units",
            "failed: kine.service, x.timer",
        ),
        (
            "psql",
            fails("psql: error: connection to server on socket failed\n\tIs the server running?\n"),
            "postgresql",
            "psql: error: connection to server on socket failed",
        ),
        (
            readyz,
            fails("The connection to the server was refused"),
            "apiserver",
            "The connection to the server was refused",
        ),
        (readyz, says("[-]etcd failed"), "apiserver", "[-]etcd failed"),
        (
            node,
            says("b00t False container runtime is down"),
            "node",
            "node node-7 is not Ready: container runtime is down",
        ),
        (node, says("b00t Unknown "), "node", "node node-7 is not Ready: "),
        (
            node,
            says("another True kubelet is posting ready status"),
            "node",
            "the kubelet of node node-7 has not reported since the start",
        ),
        (node, says(""), "node", "the kubelet of node node-7 has not reported since the start"),
    ];
    for (command, outcome, check, expected) in table {
        let world = well();
        world.answers.set(command, outcome);
        assert_eq!(problem(&world), Some((check.to_owned(), expected.to_owned())), "{command}");
    }
}

#[test]
fn a_link_that_is_down_is_no_reason_to_fall_back() {
    let world = well();
    world.answers.set("systemctl is-system-running", says("degraded\n"));
    world.answers.set("systemctl list-units", says("geminios-update.service loaded failed failed Look\n"));
    assert_eq!(problem(&world), None);
}

#[test]
fn what_the_image_has_not_is_not_asked() {
    let world = World::new(&System::new("1.0.0"));
    let host = world.host();
    assert_eq!(first_problem(Checks::new(&Config::default(), None).run(&host)), None);
    let config = Config { without: vec!["postgresql".into(), "node".into()], ..Config::default() };
    let names: Vec<String> =
        Checks::new(&config, host.image().unwrap().data).checks.iter().map(|check| check.name()).collect();
    assert_eq!(names, ["units", "apiserver"]);
}

#[test]
fn commands_of_the_owner() {
    let world = well();
    let add = |name: &str, script: &str, mode: u32| {
        world.write(&format!("/var/lib/geminios/{name}"), &format!("#!/bin/sh\n{script}\n"));
        let folder = world.path("/var/lib/geminios/health.d");
        // A copy that another process made: what this one had open for writing while another test started a program cannot be
        // run ("text file busy").
        let mut install = std::process::Command::new("install");
        install
            .arg("-D")
            .arg(format!("--mode={mode:o}"))
            .arg(folder.with_file_name(name))
            .arg(folder.join(name));
        assert!(install.status().unwrap().success());
    };
    let of_scripts = || {
        let host = Host { commands: Box::new(Programs), ..world.host() };
        let config = Config { timeout: Duration::from_secs(60), ..Config::default() };
        let (none, checks) = (None, Checks::new(&config, None));
        assert_eq!(none, checks.checks.get(1));
        // What is of systemd is not on every machine that tests.
        let without = Config { without: vec!["units".into()], ..config };
        first_problem(Checks::new(&without, None).run(&host))
    };
    add("10-passes", "exit 0", 0o755);
    add("20-no-program", "exit 1", 0o644);
    assert_eq!(of_scripts(), None);
    add("30-fails", "echo checking the pump; echo the pump is cold >&2; exit 1", 0o755);
    let name = |name: &str| format!("/var/lib/geminios/health.d/{name}");
    assert_eq!(of_scripts(), Some((name("30-fails"), "the pump is cold".to_owned())));
    add("15-of-all", "exit 0", 0o777);
    let refused = "others than root may write to it or its folder; it is not run";
    assert_eq!(of_scripts(), Some((name("15-of-all"), refused.to_owned())));
}

#[test]
fn settings() {
    let world = well();
    let read = |text: &str| {
        world.write("/etc/geminios/health.toml", text);
        let path = world.path("/etc/geminios/health.toml");
        Config::read(&path)
            .map_err(|error| error.to_string().replace(&*world.folder.path().to_string_lossy(), ""))
    };
    let shipped = include_str!("../../../rootfs/usr/share/geminios/health.toml");
    assert_eq!(read(shipped).unwrap(), Config::default());
    let config = read("settle = \"5m\"\ndeadline = \"1h\"\nwithout = [\"node\"]\n").unwrap();
    assert_eq!((config.settle.as_secs(), config.deadline.as_secs()), (300, 3600));
    let wrong = [
        ("settle = 60\n", "/etc/geminios/health.toml, line 1: invalid type: integer `60`, expected a string"),
        (
            "\nsettle = \"60\"\n",
            "/etc/geminios/health.toml, line 2: `60` is not a time such as `60s`, `15m` or `1h`",
        ),
        ("settle = \"é\"\n", "/etc/geminios/health.toml, line 1: `é` is not a time"),
        ("dead-line = \"1m\"\n", "/etc/geminios/health.toml, line 1: unknown field `dead-line`"),
        (
            "without = [\"nodes\"]\n",
            "/etc/geminios/health.toml, line 1: `nodes` is no check; there are units, postgresql, apiserver, node",
        ),
        ("settle = \"1h\"\n", "/etc/geminios/health.toml, line 1: deadline is not longer than settle"),
    ];
    for (text, expected) in wrong {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    // Whoever cannot say what is healthy is not.
    let (name, said) = problem(&world).unwrap();
    assert_eq!(name, "settings");
    assert!(said.contains("deadline is not longer"), "{said}");
}

#[test]
fn healthy_for_long_enough_and_not_too_late() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let (again, healthy, late) = (Next::Again, Next::Healthy, Next::TooLate);
    type Round = (u64, bool, Next);
    let table: [(&str, &[Round]); 5] = [
        ("at once", &[(1, true, again), (2, true, again), (3, true, healthy)]),
        (
            "a break begins it anew",
            &[(1, true, again), (2, false, again), (3, true, again), (5, true, healthy)],
        ),
        ("never", &[(1, false, again), (9, false, again), (10, false, late)]),
        ("healthy when the deadline passes", &[(9, true, again), (10, true, again), (11, true, healthy)]),
        ("not for long", &[(9, true, again), (11, false, late)]),
    ];
    for (story, rounds) in table {
        let mut trial = Trial::new(minutes(2), Some(minutes(10)));
        for (at, is_healthy, expected) in rounds {
            assert_eq!(trial.after(minutes(*at), *is_healthy), *expected, "{story}, at {at}");
        }
    }
    let mut patient = Trial::new(minutes(1), None);
    assert_eq!(patient.after(minutes(100_000), false), again);
}
