//! The project under test, as a user has it: its folder, its profile, a copy to spoil, the command.

// Every test program takes a part of this.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub const GEMINIOS: &str = env!("CARGO_BIN_EXE_geminios");

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// GEMINIOS_TEST_PROFILE names another than x86-edge.
pub fn profile() -> PathBuf {
    let named = std::env::var_os("GEMINIOS_TEST_PROFILE").map(PathBuf::from);
    named.unwrap_or_else(|| folder().join("profiles/x86-edge.toml"))
}

/// The user's cache, where the downloads of an earlier build are.
pub fn cache() -> PathBuf {
    std::env::var_os("GEMINIOS_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        std::env::var_os("XDG_CACHE_HOME").map_or(home.join(".cache"), PathBuf::from).join("geminios")
    })
}

/// A cache with the downloads of the user's, and of its finished steps only what takes long to compile: the programs in Go, a
/// quarter of an hour's work, and the updater. `reproducible` compiles all anew.
pub fn cold_cache(parent: &Path) -> PathBuf {
    let cold = parent.join("cache");
    fs::create_dir_all(cold.join("steps")).unwrap();
    fs::create_dir_all(cold.join("steps/program")).unwrap();
    let programs = fs::read_dir(cache().join("steps/program")).unwrap().map(|step| step.unwrap());
    let updaters = programs.filter(|step| step.path().join("made/geminios-updater").exists());
    let updaters = updaters.map(|step| format!("steps/program/{}", step.file_name().to_str().unwrap()));
    for folder in ["store".to_owned(), "steps/go-program".to_owned()].into_iter().chain(updaters) {
        let (from, to) = (cache().join(&folder), cold.join(&folder));
        let copy = |how| Command::new("cp").args([how, "-T"]).args([&from, &to]).output().unwrap();
        // Links where both stand on one disk.
        if !copy("-al").status.success() {
            drop(fs::remove_dir_all(&to));
            done(&copy("-a"));
        }
    }
    cold
}

/// A copy of the project's descriptions, to spoil; its profile is always called x86-edge.
pub fn copy() -> TempDir {
    let dir = tempfile::tempdir_in(folder().join("target")).unwrap();
    for name in ["overlays", "boards", "profiles", "keys", "tools.toml", "Cargo.toml", "Cargo.lock"] {
        done(&Command::new("cp").arg("-r").arg(folder().join(name)).arg(dir.path()).output().unwrap());
    }
    fs::copy(profile().with_extension("lock"), dir.path().join("profiles/x86-edge.lock")).unwrap();
    dir
}

/// Changes a file of a copy, once.
pub fn edit(dir: &Path, file: &str, from: &str, to: &str) {
    let path = dir.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

/// The command in a folder.
pub fn geminios(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(GEMINIOS);
    command.current_dir(dir).args(arguments).env_remove("GEMINIOS_PROJECT");
    command
}

/// What a command says that must succeed.
pub fn done(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}\n{words}", output.status);
    words
}

/// What is in a build's folder under a name of its own: nothing, if no build was finished.
pub fn results(out: &Path) -> Vec<String> {
    let entries = fs::read_dir(out).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// What the command says when it must fail with `status`, with nothing written.
pub fn refusal(dir: &Path, arguments: &[&str], status: i32) -> String {
    let output = geminios(dir, arguments).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{words}");
    let left = results(&dir.join("out/x86-edge-generic-x86-uefi"));
    assert!(left.is_empty(), "left behind: {left:?}");
    words
}
