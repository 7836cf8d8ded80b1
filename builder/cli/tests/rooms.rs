//! docs/layout.md and the tree say the same about rooms: their order, their doors, what they keep out, how long files are.

#![allow(clippy::unwrap_used)]

mod project;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use project::folder;
use serde_json::Value;

fn page() -> String {
    fs::read_to_string(folder().join("docs/layout.md")).unwrap()
}

/// Rows of the page's table of rooms: name and doors.
fn rooms(page: &str) -> Vec<(String, Vec<String>)> {
    let table = page.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let doors = cells[4].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (cells[1].to_owned(), doors)
    });
    rows.collect()
}

/// Each room of the workspace and the rooms it depends on, for its tests too.
fn dependencies() -> Vec<(String, BTreeSet<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(folder().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let builder = folder().join("builder");
    let room = |path: &Path| Some(path.strip_prefix(&builder).ok()?.to_str()?.to_owned());
    let packages = metadata["packages"].as_array().unwrap().iter().filter_map(|package| {
        let name = room(Path::new(package["manifest_path"].as_str()?).parent()?)?;
        let wants = package["dependencies"].as_array()?.iter();
        Some((name, wants.filter_map(|want| room(Path::new(want["path"].as_str()?))).collect()))
    });
    packages.collect()
}

/// Files of Rust below a folder, with their path below the project's.
fn sources(below: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![folder().join(below)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/benches/") || path.ends_with("tests.rs")
}

#[test]
fn the_page_names_every_room_and_no_other() {
    let folders = fs::read_dir(folder().join("builder")).unwrap().map(|entry| entry.unwrap().path());
    let here: BTreeSet<String> = folders
        .filter(|path| path.join("Cargo.toml").exists())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let named: BTreeSet<String> = rooms(&page()).into_iter().map(|(room, _)| room).collect();
    assert_eq!(named, here);
}

#[test]
fn no_room_reaches_back() {
    let order: Vec<String> = rooms(&page()).into_iter().map(|(room, _)| room).collect();
    let place = |room: &String| order.iter().position(|name| name == room);
    let dependencies = dependencies();
    assert_eq!(dependencies.len(), order.len());
    for (room, wants) in &dependencies {
        for want in wants {
            assert!(place(want) < place(room), "{room} depends on {want}, which docs/layout.md has after it");
        }
    }
    // The order is not trivially true: the last room needs every other.
    let last = dependencies.iter().find(|(room, _)| Some(room) == order.last()).unwrap();
    assert_eq!(last.1.len(), order.len() - 1, "{last:?}");
}

#[test]
fn every_door_is_there() {
    for (room, doors) in rooms(&page()) {
        let lib = folder().join("builder").join(&room).join("src/lib.rs");
        let lib = fs::read_to_string(lib).unwrap_or_default();
        let public: BTreeSet<&str> = lib
            .split(';')
            .filter_map(|item| item.split_once("pub use ")?.1.split_once("::"))
            .flat_map(|(_, names)| names.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .collect();
        for door in doors {
            assert!(public.contains(door.as_str()), "room {room} has no door `{door}`");
        }
    }
}

#[test]
fn rooms_keep_out_what_is_not_theirs() {
    let reads = ["std::fs", "std::net", "std::process", "env::var", "SystemTime", "Instant"];
    let prints = ["print!(", "println!(", "stdout()", "stderr()"];
    let words = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    for (path, text) in sources("builder").into_iter().filter(|(path, _)| !is_test(path)) {
        if path.starts_with("builder/model/") || path.starts_with("builder/resolve/") {
            assert!(!words(&text, &reads), "{path} does I/O: one of {reads:?}");
        }
        if !path.starts_with("builder/cli/") {
            assert!(!words(&text, &prints), "{path} prints: one of {prints:?}");
        }
    }
}

#[test]
fn files_are_short() {
    let page = page();
    let limit = |after: &str| -> usize {
        let (_, rest) = page.split_once(after).unwrap_or_else(|| panic!("the page does not say `{after}`"));
        rest.trim_start().split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let (source, test) = (limit("No source file has more than"), limit("no file of tests more than"));
    for (path, text) in sources("builder").into_iter().chain(sources("overlays")) {
        let (lines, limit) = (text.lines().count(), if is_test(&path) { test } else { source });
        assert!(lines <= limit, "{path} has {lines} lines; docs/layout.md allows {limit}");
    }
}
