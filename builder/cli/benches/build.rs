//! How long a build takes, beside mmdebstrap's installation of the same packages, run in turn.
//! `cargo bench -p geminios --bench build -- ROUNDS`, after a build that fetched everything.

#![allow(clippy::unwrap_used)]

#[path = "../tests/debian_install/installation.rs"]
mod installation;
#[path = "../tests/project/mod.rs"]
mod project;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use geminios_model::{Lock, Profile, Source, parse};
use installation::Installation;

/// What a build has to do, from most to least.
const CASES: [(&str, &str); 4] = [
    ("cold", "packages are fetched, nothing else is done: tools are unpacked and the init is compiled too"),
    ("tools", "packages are fetched, tools unpacked and the init compiled before: the whole image"),
    ("overlay", "one file of an overlay changed since the last build"),
    ("same", "nothing changed since the last build"),
];

struct Run {
    time: Duration,
    /// Bytes: the most that our process, without the tools it runs, had in memory.
    peak: u64,
}

fn main() {
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(5);
    let reference = installation::mode();
    let mut runs: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
    let mut installs = Vec::new();
    for round in 1..=rounds {
        let dir = project::copy();
        let cache = project::cold_cache(dir.path());
        for (case, _) in CASES {
            prepare(case, dir.path(), &cache, round);
            let run = build(dir.path(), &cache);
            println!("round {round}: {case} {:.2} s, {} MiB", run.time.as_secs_f64(), run.peak >> 20);
            runs.entry(case).or_default().push(run);
        }
        if let Ok(mode) = reference {
            let time = install(mode);
            println!("round {round}: mmdebstrap {:.2} s", time.as_secs_f64());
            installs.push(time);
        }
    }
    if let Err(reason) = reference {
        println!("not compared with an installation: {reason}");
    }
    let whole = median(installs.iter().copied());
    for (case, means) in CASES {
        let times = median(runs[case].iter().map(|run| run.time));
        let peak = runs[case].iter().map(|run| run.peak).max().unwrap_or_default();
        let ratio = if whole.is_zero() { f64::NAN } else { times.as_secs_f64() / whole.as_secs_f64() };
        println!("{:8.2} s  {ratio:5.2} of mmdebstrap  {:4} MiB  {means}", times.as_secs_f64(), peak >> 20);
    }
    println!("{:8.2} s  mmdebstrap, the same packages: nothing sealed, no image", whole.as_secs_f64());
}

fn prepare(case: &str, project: &Path, cache: &Path, round: u32) {
    let steps = cache.join("steps");
    match case {
        "tools" => {
            for step in fs::read_dir(&steps).unwrap().flatten() {
                if !["tools", "program", "unfinished"].iter().any(|kept| step.file_name() == *kept) {
                    fs::remove_dir_all(step.path()).unwrap();
                }
            }
            fs::remove_dir_all(project.join("out")).unwrap();
        }
        "overlay" => {
            let file = project.join("overlays/base/rootfs/etc/motd");
            fs::write(file, format!("round {round}\n")).unwrap();
        }
        _ => {}
    }
    // What was written before must not be waited for now.
    rustix::fs::sync();
}

fn build(project: &Path, cache: &Path) -> Run {
    let begun = Instant::now();
    let mut command = project::geminios(project, &["build", "x86-edge", "--offline", "--quiet", "--cache"]);
    let mut child = command.arg(cache).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kibibytes.unwrap_or(0) << 10);
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    assert!(ended.success(), "{ended}");
    Run { time: begun.elapsed(), peak }
}

fn install(mode: &str) -> Duration {
    let path = project::profile();
    let read = |path: &Path| Source::new(path, fs::read_to_string(path).unwrap());
    let profile: Profile = parse(&read(&path)).unwrap();
    let lock = Lock::parse(&read(&path.with_extension("lock"))).unwrap();
    let begun = Instant::now();
    Installation { profile: &profile, lock: &lock }
        .run(mode, |mut tar| std::io::copy(&mut tar, &mut std::io::sink()).unwrap());
    begun.elapsed()
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
