//! Our tree is what Debian would have installed, but for what stands in docs/debian-differences.md.
//!
//! mmdebstrap installs the lock's packages for real, with dpkg and all maintainer scripts, and with the packages that
//! the overlays leave out, without which nothing can be installed. Every path of that tree is then compared with ours.

#![allow(clippy::unwrap_used)]

mod accounts;
mod classes;
mod compare;
#[allow(dead_code)] // The reader of `geminios inspect`, which uses more of it.
#[path = "../../src/contents.rs"]
mod contents;
mod installation;
#[path = "../project/mod.rs"]
mod project;
mod reviewed;
mod tree;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use geminios_model::{Lock, Profile, Source, parse};
use serde_json::Value;

use classes::Declarations;
use compare::{Difference, compare};
use contents::Contents;
use installation::Installation;
use reviewed::Reviewed;
use tree::Tree;

fn read(path: &Path) -> Source {
    Source::new(path, fs::read_to_string(path).unwrap())
}

/// Past cargo's capture: whoever runs the tests is to see it.
fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// Builds the image and reads the file system in its slot.
fn our_tree(scratch: &Path) -> Tree {
    let (profile, out) = (project::profile(), scratch.join("image"));
    let run = |arguments: &[&str]| {
        let output = project::geminios(&project::folder(), arguments).output().unwrap();
        project::done(&output);
        output.stdout
    };
    run(&["build", profile.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    let report = run(&["inspect", out.to_str().unwrap(), "--format", "json"]);
    let report: Value = serde_json::from_slice(&report).unwrap();
    let partitions = report["partitions"].as_array().unwrap();
    let root = partitions.iter().find(|p| p["name"] == "root-a").unwrap();
    let image = File::open(report["image"].as_str().unwrap()).unwrap();
    let contents =
        Contents::open(&image, root["start"].as_u64().unwrap(), root["size"].as_u64().unwrap()).unwrap();
    Tree::of_image(&contents)
}

#[test]
fn every_difference_from_an_installation_by_dpkg_was_reviewed() {
    let mode = match installation::mode() {
        Ok(mode) => mode,
        Err(reason) => {
            assert!(
                std::env::var_os("GEMINIOS_ORACLES").is_none(),
                "no installation to compare with: {reason}"
            );
            return say(&format!("SKIPPED: no installation to compare with: {reason}"));
        }
    };
    let scratch = tempfile::Builder::new()
        .prefix("geminios debian ")
        .tempdir_in(project::folder().join("target"))
        .unwrap();
    let ours = our_tree(scratch.path());

    let profile: Profile = parse(&read(&project::profile())).unwrap();
    let lock = Lock::parse(&read(&project::profile().with_extension("lock"))).unwrap();
    let theirs = Installation { profile: &profile, lock: &lock }.run(mode, Tree::of_archive).unwrap();
    let declarations = Declarations::new(&profile, &lock, &theirs);
    declarations.check_packages(&theirs);

    let differences = compare(&ours, &theirs);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left: Vec<Difference> = Vec::new();
    for (difference, class) in declarations.sort(differences, &ours, &theirs) {
        *counts.entry(class.map_or("in the reviewed list", |class| class.name())).or_default() += 1;
        left.extend(class.is_none().then_some(difference));
    }
    say(&format!("{} paths here, {} there; differences:", ours.entries.len(), theirs.entries.len()));
    for (class, count) in counts {
        say(&format!("{count:7} {class}"));
    }
    let document = read(&project::folder().join("docs/debian-differences.md"));
    let complaints = Reviewed::parse(document.text()).check(&left);
    assert!(complaints.is_empty(), "docs/debian-differences.md:\n{}", complaints.join("\n"));
}
