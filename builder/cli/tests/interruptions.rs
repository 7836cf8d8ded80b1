//! Builds that are cut off, meet one another, or find the disk full: nothing half-written, and the next one goes on. Of x86-base:
//! all stages of a build are in it, and it is a third of x86-edge.

#![allow(clippy::unwrap_used)]

mod project;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use project::{GEMINIOS, cold_cache, done, folder, results};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn build(cache: &Path, out: &Path) -> Command {
    let mut command = Command::new(GEMINIOS);
    command.current_dir(folder()).args(["build", "--offline", "--no-compress"]).arg("x86-base");
    command.arg("--cache").arg(cache).arg("--out").arg(out);
    command
}

/// A build that got to its end: what every other has to come to. With it, all downloads are there.
fn reference() -> Value {
    let out = folder().join("target/interruptions");
    let mut command = Command::new(GEMINIOS);
    command.current_dir(folder()).arg("build").arg("x86-base").arg("--no-compress").arg("--out").arg(&out);
    done(&command.output().unwrap());
    manifest(&out)
}

fn manifest(out: &Path) -> Value {
    serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap()
}

/// Starts a build and sends it a signal when it prints a line that begins with `words`; gives all it printed.
fn cut(cache: &Path, out: &Path, words: &str, signal: Signal) -> (std::process::ExitStatus, String) {
    let mut child = build(cache, out).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.lines().last().unwrap_or_default().trim_start().starts_with(words) {
        assert!(lines.read_line(&mut said).unwrap() > 0, "it never said `{words}`:\n{said}");
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    lines.read_to_string(&mut said).unwrap();
    (child.wait().unwrap(), said)
}

/// Waits until no program of a cache runs any more; one that stays is a failure.
fn gone(cache: &Path) {
    for _ in 0..600 {
        let running = fs::read_dir("/proc").unwrap().flatten().filter(|process| {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).starts_with(&cache.display().to_string())
        });
        if running.count() == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("programs of {} still run", cache.display());
}

#[test]
fn a_build_that_is_cut_off_leaves_nothing_and_the_next_goes_on() {
    let reference = reference();
    let dir = tempfile::tempdir_in(folder().join("target")).unwrap();
    let (cache, out) = (cold_cache(dir.path()), dir.path().join("out"));
    // Each is what the build says when it begins or has finished a stage; the next one is then under way.
    for words in ["tools build", "compile", "seal", "disk"] {
        let (status, said) = cut(&cache, &out, words, Signal::INT);
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted; what was finished is kept"), "{said}");
        assert_eq!(results(&out), [""; 0], "after `{words}`");
        gone(&cache);
    }
    let (status, said) = cut(&cache, &out, "disk", Signal::KILL);
    assert_eq!(status.signal(), Some(9), "{said}");
    assert_eq!(results(&out), [""; 0]);
    gone(&cache);

    let said = done(&build(&cache, &out).output().unwrap());
    assert!(said.contains("compile geminios-init  reused"), "what was finished is not made again:\n{said}");
    assert_eq!(manifest(&out), reference);
    let hidden = fs::read_dir(&out).unwrap().flatten();
    let hidden: Vec<_> =
        hidden.filter(|e| e.file_name().to_string_lossy().starts_with(".unfinished")).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

#[test]
fn three_builds_at_once_are_as_one() {
    let reference = reference();
    let dir = tempfile::tempdir_in(folder().join("target")).unwrap();
    let cache = cold_cache(dir.path());
    let outs = ["one", "one", "two"].map(|name| dir.path().join(name));
    let builds = outs
        .each_ref()
        .map(|out| build(&cache, out).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let said = builds.map(|child| done(&child.wait_with_output().unwrap()));
    let waited = said.iter().filter(|said| said.contains("waiting for another build in")).count();
    assert_eq!(waited, 1, "{said:#?}");
    for out in &outs {
        assert_eq!(manifest(out), reference);
    }
}

#[test]
fn a_disk_that_fills_up_is_named_and_nothing_is_left_on_it() {
    let reference = reference();
    let dir = tempfile::tempdir_in(folder().join("target")).unwrap();
    let (cache, out) = (cold_cache(dir.path()), dir.path().join("out"));
    fs::create_dir(&out).unwrap();
    let steps = cache.join("steps");
    fs::create_dir_all(&steps).unwrap();
    // (what is on a small disk, its size, words of the error)
    let cases = [(&steps, "100m", "No space left on device"), (&out, "60m", "the disk is full; make room")];
    for (full, size, words) in cases {
        let mut command = Command::new("unshare");
        command.arg(if rustix::process::geteuid().is_root() { "-m" } else { "-rm" }).args(["sh", "-c"]);
        command.arg(
            "mount -t tmpfs -o size=$1 tmpfs \"$2\" || exit 77; full=$2; shift 2; \"$@\"; status=$?; \
            find \"$full\" -type f -size +0 | sed 's/^/left: /' >&2; exit $status",
        );
        let build = build(&cache, &out);
        command.arg("sh").arg(size).arg(full).arg(build.get_program()).args(build.get_args());
        let output = command.current_dir(folder()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(77) {
            eprintln!("SKIPPED: no full disk was tried, because this host lets us mount none:\n{said}");
            return;
        }
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words) && said.contains(&full.display().to_string()), "{said}");
        let left = said.lines().filter_map(|line| line.strip_prefix("left: "));
        let left: Vec<_> = left.filter(|path| path.starts_with(&out.display().to_string())).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    done(&build(&cache, &out).output().unwrap());
    assert_eq!(manifest(&out), reference);
}
