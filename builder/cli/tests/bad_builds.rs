//! What is found out only while an image is put together: the message names file, line and remedy, and no image is left.

#![allow(clippy::unwrap_used)]

mod project;

use project::{copy, done, edit, geminios, refusal};

#[test]
fn descriptions_that_do_not_fit_together() {
    // (file, good, bad, words that must stand in the message)
    let cases = [
        (
            "profiles/x86-edge.toml",
            "\nroot = 800",
            "\nroot = 100",
            vec!["root slot", "profiles/x86-edge.toml:", "containerd", "postgresql", "write root ="],
        ),
        (
            "profiles/x86-edge.toml",
            "\nroot = 400",
            "\nroot = 100",
            vec!["budget", "profiles/x86-edge.toml:", "containerd"],
        ),
        (
            "profiles/x86-edge.toml",
            "\nuki = 14",
            "\nuki = 9",
            vec!["unified kernel image", "kernel:", "initrd:"],
        ),
        (
            "overlays/scripts.toml",
            "package = \"systemd\"",
            "package = \"systemd-of-another-name\"",
            vec!["overlays/scripts.toml", "systemd"],
        ),
        (
            "overlays/containerd/overlay.toml",
            "path = \"/etc/containerd/certs.d\"",
            "path = \"/etc/hostname\"",
            vec!["/etc/hostname", "overlays/containerd", "overlays/base"],
        ),
        (
            "overlays/postgresql/overlay.toml",
            "enable = [\"postgresql.service\"]",
            "enable = [\"postgres.service\"]",
            vec!["overlays/postgresql/overlay.toml:", "postgres.service"],
        ),
        (
            "boards/generic-x86-uefi.toml",
            "\"ahci\",",
            "\"achi\",",
            vec!["boards/generic-x86-uefi.toml:", "achi"],
        ),
    ];
    for (file, good, bad, words) in cases {
        let dir = copy();
        edit(dir.path(), file, good, bad);
        let said = refusal(dir.path(), &["build", "x86-edge"], 1);
        for word in words {
            assert!(said.contains(word), "`{word}` is missing in:\n{said}");
        }
    }
}

#[test]
fn a_slot_that_became_too_small_tells_what_grew() {
    let dir = copy();
    done(&geminios(dir.path(), &["build", "x86-edge", "--no-compress"]).output().unwrap());
    let folder = dir.path().join("overlays/containerd/rootfs/usr/share/large");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), vec![7; 3_500_000]).unwrap();
    edit(dir.path(), "profiles/x86-edge.toml", "\nroot = 800", "\nroot = 100");
    let output = geminios(dir.path(), &["build", "x86-edge", "--no-compress"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Grown since the last build here:\n  +3.5 MB  containerd\nerror:"), "{said}");
}

#[test]
fn a_mirror_that_is_no_archive() {
    let dir = copy();
    let lock = dir.path().join("profiles/x86-edge.lock");
    let before = std::fs::read(&lock).unwrap();
    let folder = dir.path().join("mirror/debian/dists/trixie");
    std::fs::create_dir_all(&folder).unwrap();
    let mirror = format!("file://{}", dir.path().join("mirror/debian").display());
    let arguments = ["--mirror", &mirror, "lock", "x86-edge"];
    let said = refusal(dir.path(), &arguments, 1);
    assert!(said.contains("dists/trixie/InRelease"), "{said}");
    std::fs::write(folder.join("InRelease"), "<html>Welcome to the hotel's network</html>\n").unwrap();
    let said = refusal(dir.path(), &arguments, 1);
    assert!(said.contains("InRelease of debian trixie") && said.contains("is not a signed file"), "{said}");
    assert_eq!(std::fs::read(&lock).unwrap(), before, "the lock was touched");
}
