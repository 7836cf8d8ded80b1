//! Several processes, processes that are killed, and disks that are full.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use geminios_model::Digest;

use super::child::{self, SIZE};
use super::server::{Server, say_whole, serve};
use super::world::{World, bytes, want};

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn two_processes_that_want_the_same_fetch_it_once() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let served = data.clone();
    let server = Server::start(move |_, _, stream| {
        say_whole(stream, served.len());
        for chunk in served.chunks(100_000) {
            drop(stream.write_all(chunk));
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let start = || {
        child::command("", "fetches", world.cache.path(), &server.mirror())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let processes = [start(), start(), start()];
    for process in processes {
        let text = String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap();
        assert!(text.contains(&format!("came: {}", Digest::of(&data))), "{text}");
    }
    assert_eq!(server.requests().len(), 1);
    assert_eq!(world.files(), [Digest::of(&data).to_string()]);
}

#[test]
fn two_threads_that_want_the_same_fetch_it_once() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let server = Server::good(&data);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| world.fetch(&[server.mirror()], &want("a", &data)).unwrap());
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_process_that_is_killed_loses_nothing_of_a_download() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let served = data.clone();
    let server = Server::start(move |n, request, stream| match n {
        0 => super::server::stall(&served, SIZE / 2, stream),
        _ => serve(&served, request, stream),
    });
    let mut process = child::command("", "fetches", world.cache.path(), &server.mirror())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let part = world.part(&Digest::of(&data));
    while fs::metadata(&part).map_or(0, |part| part.len()) < SIZE as u64 / 2 {
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill().unwrap();
    process.wait().unwrap();

    world.fetch(&[server.mirror()], &want("a", &data)).unwrap();
    assert_eq!(server.ranges(), [None, Some(SIZE / 2)]);
}

#[test]
fn the_umask_changes_nothing() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let server = Server::good(&data);
    for test in ["fetches", "puts"] {
        let text = output(&mut child::command("umask 077", test, world.cache.path(), &server.mirror()));
        let path = world.path(&Digest::of(&data));
        let mode = fs::metadata(&path).unwrap_or_else(|_| panic!("{text}")).permissions().mode();
        assert_eq!(mode & 0o7777, 0o644, "{test}");
        world.store.clear().unwrap();
    }
}

/// Runs a child's test on a file system of its own in a mount namespace, which needs root or user namespaces; gives what
/// it said and which files it left. None if this host lets us mount nothing.
fn on_a_small_disk(world: &World, options: &str, test: &str, mirror: &str) -> Option<String> {
    let disk = world.cache.path().join("disk");
    fs::create_dir_all(&disk).unwrap();
    let script = world.cache.path().join("script");
    let text = format!(
        "mount -t tmpfs -o {options} tmpfs {0} || exit 77\n\"$@\"\nfind {0} -type f | sed 's/^/left: /'\n",
        disk.display()
    );
    fs::write(&script, text).unwrap();
    let namespace = if rustix::process::geteuid().is_root() { "unshare -m" } else { "unshare -rm" };
    let before = format!("exec {namespace} sh {} \"$0\" \"$@\"", script.display());
    let output = child::command(&before, test, &disk, mirror).output().unwrap();
    if !output.status.success() {
        eprintln!("SKIPPED: no full disk was tried, because this host lets us mount none");
        return None;
    }
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_nothing_half_written() {
    let world = World::new();
    let server = Server::good(&bytes("a", SIZE));
    for (test, words) in [
        ("puts", "/disk/store/unfinished: No space left on device"),
        ("appends", "/disk/a.part: No space left on device"),
        ("fetches", "/disk/store/unfinished has room for 1.0 MB, and 2.0 MB are to be fetched"),
    ] {
        let Some(text) = on_a_small_disk(&world, "size=1m", test, &server.mirror()) else { return };
        assert!(text.contains("error: ") && text.contains(words), "{text}");
        assert!(text.contains("help: make room there, or give another folder with --cache"), "{text}");
        assert!(!text.contains("left: "), "{text}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_cache_that_cannot_be_written_is_refused_at_once() {
    let world = World::new();
    let Some(text) = on_a_small_disk(&world, "size=1m,ro", "puts", "") else { return };
    assert!(text.contains("/disk/store/unfinished: Read-only file system"), "{text}");
    assert!(text.contains("help: make it writable for you, or give another folder with --cache"), "{text}");
}
