//! Damage is found wherever it is, and the file is named.

use std::collections::BTreeMap;
use std::fs;

use geminios_model::Silent;
use geminios_release::bundle::{self, Wanted};
use geminios_release::verify::verify;
use geminios_update_format::bundle::{BundleError, Entry, index};
use semver::Version;

use crate::made::{NOW, Scene, published, tree};

/// Kinds of files: the first part of the path, and what tells metadata files apart.
fn kind(name: &str) -> String {
    let (folder, file) = name.split_once('/').unwrap();
    match folder {
        "metadata" => file.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned(),
        folder => folder.to_owned(),
    }
}

#[test]
fn a_flipped_bit_in_any_file_is_found_and_the_file_is_named() {
    let scene = published();
    let files = tree(&scene.repo());
    let mut kinds: Vec<String> = files.keys().map(|name| kind(name)).collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["blobs", "root.json", "snapshot.json", "targets", "targets.json", "timestamp.json"]);
    for (at, (name, bytes)) in files.iter().enumerate() {
        // Metadata that was replaced is looked at by nobody.
        if name.starts_with("metadata/1.") && name != "metadata/1.root.json" {
            continue;
        }
        let mut damaged = bytes.clone();
        let place = at * 7919 % bytes.len();
        damaged[place] ^= 1 << (at % 8);
        let path = scene.repo().join(name);
        fs::write(&path, &damaged).unwrap();
        let report = scene.verify(&scene.repo());
        assert!(
            report.findings.iter().any(|finding| finding.file == *name),
            "{name}, byte {place}: {report:?}"
        );
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(scene.verify(&scene.repo()).findings, vec![]);
}

#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let scene = published();
    let files = tree(&scene.repo());
    let blobs: Vec<&String> = files.keys().filter(|name| name.starts_with("blobs/")).collect();
    let hit = [blobs[0], blobs[blobs.len() / 2], blobs[blobs.len() - 1]];
    fs::remove_file(scene.repo().join(hit[0])).unwrap();
    fs::write(scene.repo().join(hit[1]), &files[hit[1]][1..]).unwrap();
    fs::write(scene.repo().join(hit[2]), [&files[hit[2]][..], b"x"].concat()).unwrap();
    fs::write(scene.repo().join("blobs/stray"), "x").unwrap();
    let report = scene.verify(&scene.repo());
    for name in hit.into_iter().map(String::as_str).chain(["blobs/stray"]) {
        assert!(report.findings.iter().any(|finding| finding.file == name), "{name}: {report:?}");
    }
}

#[test]
fn another_root_is_not_trusted() {
    let (scene, other) = (published(), Scene::new());
    let report = verify(&scene.repo(), Some(&other.root), NOW, &Silent);
    let files: Vec<&str> = report.findings.iter().map(|finding| finding.file.as_str()).collect();
    assert_eq!(files, ["metadata/1.root.json", "metadata/timestamp.json"], "{report:?}");
    assert!(report.findings[1].problem.contains("signatures"), "{report:?}");
}

fn bundle_of(scene: &Scene) -> Vec<u8> {
    let mut bytes = Vec::new();
    let version = Version::new(1, 1, 0);
    let deltas = [Version::new(1, 0, 0)];
    let wanted = Wanted { profile: "edge", board: "pc", version: &version, deltas: &deltas };
    bundle::write(&scene.repository(), &wanted, &mut bytes).unwrap();
    bytes
}

fn indexed(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, BundleError> {
    let mut read_at = |at: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&bytes[at as usize..at as usize + buffer.len()]);
        Ok(())
    };
    index(bytes.len() as u64, &mut read_at)
}

#[test]
fn a_bundle_that_is_cut_anywhere_names_the_file_that_is_hit() {
    let scene = published();
    let bytes = bundle_of(&scene);
    let entries = indexed(&bytes).unwrap();
    let mut offsets: Vec<usize> = (0..bytes.len()).step_by(2039).collect();
    // Each border, and beside it.
    for entry in entries.values() {
        let (start, end) = (entry.offset as usize, (entry.offset + entry.size) as usize);
        offsets.extend([start - 512, start - 1, start, start + 1, end - 1, end, end + 1]);
    }
    offsets.extend([bytes.len() - 1, bytes.len() - 512, bytes.len() - 1024]);
    assert!(offsets.len() > 200, "{}", offsets.len());
    for cut in offsets.into_iter().filter(|cut| *cut < bytes.len()) {
        let error = indexed(&bytes[..cut]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("it is cut at byte {cut}, within ")), "{cut}: {error}");
        let hit = entries.iter().find(|(_, entry)| {
            let end = entry.offset + entry.size.next_multiple_of(512);
            (entry.offset..end).contains(&(cut as u64))
        });
        if let Some((name, _)) = hit {
            assert!(error.contains(name.as_str()), "{cut}: {error}");
        }
    }
    let path = scene.path("cut.tar");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let report = scene.verify(&path);
    assert!(
        report.findings[0].file.ends_with("cut.tar") && report.findings[0].problem.contains("within blobs/"),
        "{report:?}"
    );
}

#[test]
fn a_flipped_bit_anywhere_in_a_bundle_is_found() {
    let scene = published();
    let bytes = bundle_of(&scene);
    let path = scene.path("flipped.tar");
    let entries = indexed(&bytes).unwrap();
    let mut places: Vec<usize> = entries
        .values()
        .flat_map(|entry| [entry.offset as usize - 512 + 148, entry.offset as usize])
        .collect();
    places.extend([bytes.len() - 1, bytes.len() - 1024]);
    places.extend(
        entries.values().map(|entry| (entry.offset + entry.size) as usize).filter(|end| end % 512 != 0),
    );
    for place in places {
        let mut flipped = bytes.clone();
        flipped[place] ^= 4;
        fs::write(&path, &flipped).unwrap();
        assert!(!scene.verify(&path).findings.is_empty(), "byte {place}");
    }
    fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(scene.verify(&path).findings[0].problem.contains("follow its end"));
}
