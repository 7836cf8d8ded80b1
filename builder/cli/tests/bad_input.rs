//! Bad input at the command: what the user sees, the exit status, and that nothing half-written is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const GEMINIOS: &str = env!("CARGO_BIN_EXE_geminios");

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A copy of the project's descriptions, to spoil.
fn copy() -> TempDir {
    let dir = tempfile::tempdir_in(project().join("target")).unwrap();
    for name in ["overlays", "boards", "profiles", "keys", "tools.toml", "Cargo.toml", "Cargo.lock"] {
        let status = Command::new("cp").arg("-r").arg(project().join(name)).arg(dir.path()).status().unwrap();
        assert!(status.success());
    }
    if let Some(profile) = std::env::var_os("GEMINIOS_TEST_PROFILE").map(PathBuf::from) {
        fs::copy(profile.with_extension("lock"), dir.path().join("profiles/x86-edge.lock")).unwrap();
    }
    dir
}

fn edit(dir: &Path, file: &str, from: &str, to: &str) {
    let path = dir.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

fn geminios(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(GEMINIOS).current_dir(dir).args(arguments).env_remove("GEMINIOS_PROJECT").output().unwrap()
}

/// What `build` says about a spoilt project; it must fail with `status` and write nothing.
fn refusal(dir: &Path, arguments: &[&str], status: i32) -> String {
    let output = geminios(dir, arguments);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{words}");
    let out = dir.join("out/x86-edge-generic-x86-uefi");
    let results: Vec<_> = fs::read_dir(&out).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    assert!(results.iter().all(|name| name.to_string_lossy().starts_with('.')), "left behind: {results:?}");
    words
}

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
        ("tools.toml", "[[tool]]", "[[tools]]", vec!["tools.toml:", "did you mean `tool`?"]),
        (
            "overlays/scripts.toml",
            "instead",
            "insted",
            vec!["overlays/scripts.toml:", "did you mean `instead`?"],
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
fn names_that_do_not_exist_come_with_those_that_do() {
    let dir = copy();
    let said = refusal(dir.path(), &["build", "x86-egde"], 1);
    assert!(said.contains("no profile `x86-egde`") && said.contains("profiles here: x86-edge"), "{said}");
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
    assert!(said.contains("pool/") && said.contains("geminios lock x86-edge"), "{said}");
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
    let output = geminios(dir.path(), &["lock", "x86-edge"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no-such-thing"), "{said}");
    let before = fs::read(project().join("profiles/x86-edge.lock")).unwrap();
    if std::env::var_os("GEMINIOS_TEST_PROFILE").is_none() {
        assert_eq!(
            fs::read(dir.path().join("profiles/x86-edge.lock")).unwrap(),
            before,
            "the lock was touched"
        );
    }
}
