//! Snapshots of the cluster's data.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use geminios_updater::image::Data;
use geminios_updater::snapshot::take;

use crate::system::System;
use crate::world::{World, fails, says};

const DATA: Data = Data { postgresql: 17, kine_schema: 1, kubernetes_minor: 37 };
const SIZE: &str = "psql --no-psqlrc --no-password --host=/run/postgresql --username=postgres --dbname=kine";

fn taken(world: &World, data: Data, version: &str, needed: bool) -> (Result<(), String>, String) {
    let lines = Rc::new(RefCell::new(String::new()));
    let told = lines.clone();
    let tell: geminios_updater::supply::Tell = Rc::new(move |line: &str| told.borrow_mut().push_str(line));
    let done = take(&world.host(), Some(data), version, needed, &tell);
    let said = lines.borrow().replace(&*world.folder.path().to_string_lossy(), "");
    (done, said)
}

fn there(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.path("/var/lib/geminios/updater/snapshots")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_last_two_are_kept() {
    let world = World::new(&System::new("1.0.0"));
    world.answers.set(SIZE, says("1048576\n"));
    for (version, hour) in [("1.1.0", 1), ("1.2.0", 2), ("1.10.0", 3)] {
        world.uptime.set(Duration::from_secs(hour * 3600));
        let (done, said) = taken(&world, DATA, version, true);
        done.unwrap();
        assert!(
            said.starts_with("snapshot of the cluster's data: /var/lib/geminios/updater/snapshots/before-"),
            "{said}"
        );
    }
    let expected = ["before-1.10.0-20261127T150000Z.dump", "before-1.2.0-20261127T140000Z.dump"];
    assert_eq!(there(&world), expected);
    // A clock that fell back to 2026-11-27T12:00:00Z: the new one stays all the same.
    world.uptime.set(Duration::ZERO);
    taken(&world, DATA, "1.11.0", true).0.unwrap();
    assert_eq!(there(&world), ["before-1.10.0-20261127T150000Z.dump", "before-1.11.0-20261127T120000Z.dump"]);
}

#[test]
fn one_that_fails_leaves_nothing_and_says_why() {
    let world = World::new(&System::new("1.0.0"));
    world.answers.set(SIZE, says("1048576\n"));
    world.answers.set("pg_dump", fails("pg_dump: error: could not write to file: No space left on device"));
    let (done, _) = taken(&world, DATA, "2", true);
    let said = done.unwrap_err();
    assert!(
        said.starts_with("no snapshot of the cluster's data: pg_dump: pg_dump: error: could not write"),
        "{said}"
    );
    assert!(said.contains("--force installs without one"), "{said}");
    assert!(there(&world).is_empty());
    let (done, said) = taken(&world, DATA, "2", false);
    done.unwrap();
    assert!(said.starts_with("no snapshot of the cluster's data, as --force allows: pg_dump"), "{said}");
}

#[test]
fn no_room_on_var_is_said_before_anything_is_written() {
    let world = World::new(&System::new("1.0.0"));
    world.answers.set(SIZE, says("1048576\n"));
    taken(&world, DATA, "2", true).0.unwrap();
    world.answers.set(SIZE, says("9000000000000000\n"));
    let said = taken(&world, DATA, "3", true).0.unwrap_err();
    assert!(said.contains("it may need 8"), "{said}");
    assert!(there(&world).is_empty(), "older ones make room first");
    let ran = world.answers.ran.borrow();
    assert_eq!(ran.iter().filter(|line| line.starts_with("pg_dump")).count(), 1);
}

#[test]
fn an_image_without_a_cluster_has_none() {
    let world = World::new(&System::new("1.0.0"));
    let (done, said) = taken(&world, Data { kine_schema: 0, ..DATA }, "2", true);
    done.unwrap();
    assert_eq!(said, "no snapshot: this image keeps no cluster in PostgreSQL");
    assert!(world.answers.ran.borrow().is_empty());
}
