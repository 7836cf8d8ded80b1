//! The updater is killed at random instants, and runs again until it is done.
#![allow(clippy::unwrap_used)]

#[path = "../../../slots/tests/cuts/gpt.rs"]
#[allow(dead_code)]
mod gpt;
#[path = "../supply/machine.rs"]
#[allow(dead_code)]
mod machine;
mod memory;
#[path = "../supply/run.rs"]
#[allow(dead_code)]
mod run;
#[path = "../supply/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../supply/world.rs"]
#[allow(dead_code)]
mod world;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use run::Site;
use server::{Act, Server};
use world::{World, device, installed, untouched};

const KILLS: usize = 24;

/// The program that is killed: this one again, with this test alone.
#[test]
#[ignore = "it is run by the other test"]
fn child() {
    let (Ok(dir), Ok(from)) = (std::env::var("SITE"), std::env::var("FROM")) else { return };
    let hash = std::env::var("HASH").unwrap().parse().unwrap();
    let done = Site::running(Path::new(&dir), hash).install(&from);
    done.map_err(|problem| problem.to_string()).unwrap();
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    std::fs::write(Path::new(&dir).join("status"), own).unwrap();
}

fn start(site: &Path, world: &World, from: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored"])
        .envs([("SITE", site.to_str().unwrap()), ("FROM", from), ("HASH", &world.old.hash().to_string())])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(child: Child) {
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// What may be there at any instant: the old system as it was, and the new one as a program only when all of it is.
fn consistent(site: &Path, world: &World, instant: Duration) {
    assert!(untouched(site, &world.old), "killed after {instant:?}: what runs was touched");
    let kernel = std::fs::read(site.join("esp/geminios_1.1.0+3.efi")).unwrap_or_default();
    if kernel.starts_with(b"MZ") {
        assert!(installed(site, &world.new), "killed after {instant:?}: a half system can be started");
    }
}

#[test]
fn killed_at_random_and_run_again() {
    let world = World::shared();
    let server = Server::start(world.repo(), |_| Act::Serve);
    let bundle = world.dir.path().join("b.gemini");
    world.bundle(&bundle);
    let froms = [server.url.clone(), world.repo().display().to_string(), bundle.display().to_string()];

    let mut seed = 20_261_127_u64;
    let mut random = |below: u128| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u128::from(seed >> 33) % below.max(1)
    };
    let (mut kills, mut begun, mut finished) = (0, 0, 0);
    let mut longest = Duration::from_secs(1);
    while kills < KILLS {
        let site = tempfile::tempdir().unwrap();
        device(site.path(), world, &world.old);
        run::image(&world.old, site.path());
        loop {
            let from = &froms[random(froms.len() as u128) as usize];
            let (begin, mut child) = (Instant::now(), start(site.path(), world, from));
            let instant = Duration::from_millis(random(longest.as_millis()) as u64);
            std::thread::sleep(instant);
            if child.try_wait().unwrap().is_some() || kills == KILLS {
                finish(child);
                longest = begin.elapsed();
                break;
            }
            child.kill().unwrap();
            let status = child.wait().unwrap();
            kills += usize::from(status.code().is_none());
            consistent(site.path(), world, instant);
            let journal = std::fs::read_to_string(site.path().join("var/journal")).unwrap();
            begun += usize::from(!journal.contains("\"work\": null"));
        }
        finish(start(site.path(), world, &froms[0]));
        assert!(installed(site.path(), &world.new) && untouched(site.path(), &world.old));
        finished += 1;
    }
    println!("{kills} kills, {begun} of them in the middle of an installation; {finished} finished");
    assert!(begun > 0, "no kill hit an installation");
}
