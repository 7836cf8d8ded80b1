//! Bad input at the command: what the user sees, the exit status, and that nothing half-written is left.

#![allow(clippy::unwrap_used)]

mod project;

use std::fs;
use std::path::Path;

use project::{copy, edit, geminios, refusal};

const BUILD: [&str; 2] = ["build", "x86-edge"];

#[test]
fn descriptions() {
    // (file, good, bad, words that must stand in the message)
    let cases = [
        (
            "profiles/x86-edge.toml",
            "boards =",
            "board =",
            vec!["profiles/x86-edge.toml:", "did you mean `boards`?"],
        ),
        (
            "profiles/x86-edge.toml",
            "\"base\"",
            "\"bass\"",
            vec!["there is no overlay `bass`", "profiles/x86-edge.toml:", "overlays here: base,"],
        ),
        (
            "profiles/x86-edge.toml",
            "\"generic-x86-uefi\"",
            "\"generic-x68\"",
            vec!["there is no board `generic-x68`", "generic-x86-uefi"],
        ),
        (
            "overlays/base/overlay.toml",
            "description",
            "descripton",
            vec!["overlays/base/overlay.toml:", "did you mean `description`?"],
        ),
        (
            "boards/generic-x86-uefi.toml",
            "amd64",
            "i386",
            vec!["boards/generic-x86-uefi.toml:", "unknown variant `i386`"],
        ),
        ("tools.toml", "packages = [", "pakages = [", vec!["tools.toml:", "did you mean `packages`?"]),
        (
            "overlays/scripts.toml",
            "instead =",
            "insted =",
            vec!["overlays/scripts.toml:", "did you mean `instead`?"],
        ),
        (
            "overlays/initrd/overlay.toml",
            "source = \"init\"",
            "source = \"innit\"",
            vec!["overlays/initrd/overlay.toml:", "there is no program `innit`", "Cargo.toml"],
        ),
        (
            "overlays/containerd/overlay.toml",
            "packages =",
            "port = [{ number = 22, protocol = \"tcp\", purpose = \"x\" }]\npackages =",
            vec!["port 22/tcp is taken", "overlay `network` has it", "overlays/containerd/overlay.toml:"],
        ),
        (
            "overlays/postgresql/overlay.toml",
            "reason = \"makes a certificate",
            "reason = \"\" #",
            vec!["overlays/postgresql/overlay.toml:", "this has no reason"],
        ),
    ];
    for (file, good, bad, words) in cases {
        let dir = copy();
        edit(dir.path(), file, good, bad);
        let said = refusal(dir.path(), &BUILD, 1);
        for word in words {
            assert!(said.contains(word), "`{word}` is missing in:\n{said}");
        }
    }
}

#[test]
fn images_that_are_none() {
    let dir = copy();
    for image in ["nothing", "Cargo.toml", "overlays"] {
        let said = refusal(dir.path(), &["inspect", image], 1);
        assert!(said.contains(image) && said.contains("help: "), "{said}");
    }
}

#[test]
fn names_that_do_not_exist_come_with_those_that_do() {
    let dir = copy();
    let said = refusal(dir.path(), &["build", "x86-egde"], 1);
    assert!(
        said.contains("no profile `x86-egde`") && said.contains("profiles here: x86-base, x86-edge"),
        "{said}"
    );
    let said = refusal(dir.path(), &["build", "x86-edge", "--board", "pi"], 1);
    assert!(said.contains("its boards are: generic-x86-uefi"), "{said}");
    let elsewhere = tempfile::tempdir().unwrap();
    let said = refusal(elsewhere.path(), &BUILD, 1);
    assert!(said.contains("--project DIR"), "{said}");
}

#[test]
fn locks() {
    let lock = "profiles/x86-edge.lock";
    let dir = copy();
    edit(dir.path(), lock, "Format: 1", "Format: 9");
    let said = refusal(dir.path(), &BUILD, 1);
    assert!(said.contains("has format 9") && said.contains("x86-edge.lock:1"), "{said}");

    let dir = copy();
    fs::remove_file(dir.path().join(lock)).unwrap();
    let said = refusal(dir.path(), &BUILD, 1);
    assert!(said.contains("has no lock") && said.contains("geminios lock x86-edge"), "{said}");

    let dir = copy();
    edit(dir.path(), "profiles/x86-edge.toml", "packages = [", "packages = [\"tcpdump\", ");
    let said = refusal(dir.path(), &BUILD, 4);
    assert!(
        said.contains("is older than what it was made for") && said.contains("geminios lock x86-edge"),
        "{said}"
    );

    let dir = copy();
    edit(dir.path(), lock, "Profile: x86-edge", "Profile: arm-edge");
    let said = refusal(dir.path(), &BUILD, 4);
    assert!(said.contains("is the lock of profile `arm-edge`"), "{said}");
}

#[test]
fn a_package_that_left_the_archive_has_its_own_exit_status() {
    let dir = copy();
    let mirror = dir.path().join("mirror/debian");
    fs::create_dir_all(&mirror).unwrap();
    let cache = dir.path().join("cache");
    let address = format!("file://{}", mirror.display());
    let said = refusal(
        dir.path(),
        &["--cache", cache.to_str().unwrap(), "--mirror", &address, "build", "x86-edge"],
        3,
    );
    assert!(said.contains("pool/") && said.contains("geminios lock PROFILE --update"), "{said}");
}

#[test]
fn without_a_mirror_the_error_names_the_remedy() {
    let dir = copy();
    let cache = dir.path().join("cache");
    let said =
        refusal(dir.path(), &["--cache", cache.to_str().unwrap(), "build", "x86-edge", "--offline"], 1);
    assert!(said.contains("--offline"), "{said}");
    let said = refusal(dir.path(), &["--mirror", "ftp:nothing", "build", "x86-edge"], 1);
    assert!(said.contains("is not a mirror") && said.contains("http://mirror.example/debian"), "{said}");
}

#[test]
fn a_conflict_reads_like_a_sentence() {
    let dir = copy();
    edit(
        dir.path(),
        "profiles/x86-edge.toml",
        "packages = [",
        "packages = [\"systemd-standalone-sysusers\", \"no-such-thing\", ",
    );
    let output = geminios(dir.path(), &["lock", "x86-edge"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no-such-thing"), "{said}");
    let lock = |dir: &Path| fs::read(dir.join("profiles/x86-edge.lock")).unwrap();
    assert_eq!(lock(dir.path()), lock(copy().path()), "the lock was touched");
}
