//! The memory of an installation: the updater and the curl beside it, at their highest.

use crate::server::{Act, Server};
use crate::world::{World, content, device, installed};

/// MiB of both together.
const MOST: u64 = 64;

/// Every piece of it shares much with the old root, and much not: its prefix is as long as it may be.
fn worst(old: &[u8]) -> Vec<u8> {
    let mut new = old.to_vec();
    for at in (0..new.len() - (1 << 20)).step_by(1 << 20) {
        new[at..at + 200_000].copy_from_slice(&content(at as u64 + 7, 200_000));
    }
    new
}

/// VmHWM of a process in KiB; 0 if it is gone.
fn highest(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The highest of the processes that `parent` started.
fn children(parent: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let of_threads =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let all: Vec<String> = of_threads.chain([text]).collect();
    let pids = all.iter().flat_map(|text| text.split_ascii_whitespace());
    let status = pids.filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok());
    status.filter(|status| status.contains("Name:\tcurl")).map(|status| highest(&status)).max().unwrap_or(0)
}

#[test]
fn memory_of_a_delta_with_the_longest_prefix() {
    let old = content(1, 36 << 20);
    let new = worst(&old);
    let world = World::of(old, new);
    world.publish(&world.old.build, "stable");
    world.publish(&world.new.build, "stable");
    let site = tempfile::tempdir().unwrap();
    device(site.path(), &world, &world.old);
    crate::run::image(&world.old, site.path());
    let server = Server::start(world.repo(), |_| Act::Serve);
    let mut child = crate::start(site.path(), &world, &server.url);
    let mut curl = 0;
    while child.try_wait().unwrap().is_none() {
        curl = curl.max(children(child.id()));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    crate::finish(child);
    assert!(installed(site.path(), &world.new));
    let updater = highest(&std::fs::read_to_string(site.path().join("status")).unwrap());
    println!("updater {updater} KiB, curl {curl} KiB at their highest");
    assert!(curl > 0 && updater + curl <= MOST << 10, "{updater} KiB and {curl} KiB");
}
