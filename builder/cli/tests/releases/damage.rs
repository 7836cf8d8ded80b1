//! Damage of a repository or a bundle: named by file, exit status 1. And publishings that end in the middle, or meet.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::made::{Desk, changed, content, tree};

/// Kinds of files: what tells them apart.
fn kind(name: &str) -> &str {
    let (folder, file) = name.split_once('/').unwrap();
    if folder == "metadata" {
        file.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
    } else {
        folder
    }
}

#[test]
fn a_flipped_bit_in_a_file_of_any_kind_is_named() {
    let desk = Desk::published();
    let files = tree(&desk.path("repo"));
    let current: Vec<&String> = files
        .keys()
        .filter(|name| !name.starts_with("metadata/1.") || *name == "metadata/1.root.json")
        .collect();
    let mut sample: Vec<&String> = Vec::new();
    for (at, name) in current.iter().enumerate() {
        let known = sample.iter().filter(|other| kind(other) == kind(name)).count();
        // Of blobs one in twelve, of all else each.
        if known == 0 || kind(name) != "blobs" || at % 12 == 0 {
            sample.push(name);
        }
    }
    for (at, name) in sample.into_iter().enumerate() {
        let mut damaged = files[name].clone();
        let place = at * 7919 % damaged.len();
        damaged[place] ^= 1 << (at % 8);
        fs::write(desk.path("repo").join(name), &damaged).unwrap();
        let output = desk.run("verify repo --root keys/1.root.json");
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {told}");
        assert!(
            told.lines().any(|line| line.starts_with(&format!("{name}: "))),
            "{name}, byte {place}:\n{told}"
        );
        fs::write(desk.path("repo").join(name), &files[name]).unwrap();
    }
    desk.done("verify repo --root keys/1.root.json");
}

#[test]
fn a_bundle_that_is_cut_anywhere_is_refused_with_the_file_that_is_hit() {
    let desk = Desk::published();
    desk.done("bundle repo -o stick.tar");
    let bytes = fs::read(desk.path("stick.tar")).unwrap();
    let mut named = std::collections::BTreeSet::new();
    for at in 0..16 {
        let cut = bytes.len() * at / 16;
        fs::write(desk.path("cut.tar"), &bytes[..cut]).unwrap();
        let output = desk.run("verify cut.tar");
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        let within = told.split(&format!("cut.tar: it is cut at byte {cut}, within ")).nth(1);
        named.insert(within.unwrap_or_else(|| panic!("{told}")).lines().next().unwrap().to_owned());
    }
    assert!(named.len() > 4, "{named:?}");
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    fs::write(desk.path("cut.tar"), &flipped).unwrap();
    let output = desk.run("verify cut.tar");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && told.starts_with("blobs/"), "{told}");
}

/// The command is killed at each of its stages: what was released stays, and the same command finishes.
#[test]
fn a_publishing_that_is_killed_leaves_what_was_there_and_goes_on() {
    let desk = Desk::new();
    desk.done("keys init keys");
    desk.two_builds();
    desk.done("publish build-1.0.0 --repo repo --keys keys --level 1");
    let publish = "publish build-1.1.0 --repo repo --keys keys --level 1";
    for stage in ["root whole", "root delta", "root chunks", "verity chunks", "uki chunks"] {
        let mut child = desk.command(publish).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let seen = lines.by_ref().any(|line| line.unwrap().trim_start().starts_with(stage));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seen, "it never said `{stage}`");
        let printed = desk.done("verify repo --root keys/1.root.json");
        assert!(printed.contains("edge/pc/1.0.0"), "killed after {stage}: {printed}");
    }
    desk.done(publish);
    let printed = desk.done("verify repo --root keys/1.root.json");
    assert!(printed.contains("edge/pc/1.1.0"), "{printed}");
    assert!(tree(&desk.path("repo")).keys().all(|name| !name.contains(".new-")));
}

/// All that a publisher could do at once: only one does, and the other says so or finds it done.
#[test]
fn two_publishers_at_once() {
    let desk = Desk::new();
    desk.done("keys init keys");
    let old = content(1, 1 << 20);
    desk.build("1.0.0", &old);
    desk.build("1.1.0", &changed(&old));
    let publish = |version: &str| {
        let words = format!("publish build-{version} --repo repo --keys keys --level 1");
        desk.command(&words).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    };
    desk.done("publish build-1.0.0 --repo repo --keys keys --channel beta --level 1");
    let both = [publish("1.1.0"), publish("1.1.0")];
    for child in both {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let busy = "repo is published to by another process\n  help: wait until it is done";
        assert!(output.status.success() || said.contains(busy), "{said}");
    }
    desk.done("publish build-1.1.0 --repo repo --keys keys --level 1");
    desk.done("verify repo --root keys/1.root.json");
    // While the lock is held for sure.
    let lock = fs::File::options().append(true).open(desk.path("repo/.lock")).unwrap();
    lock.lock().unwrap();
    let said = desk.refused("publish build-1.0.0 --repo repo --keys keys --channel third");
    assert!(said.contains("published to by another process"), "{said}");
}
