//! Applying: time, processor time, memory. Everything lies in local files, so that no link is measured.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::casync::Casync;
use crate::ours::Ours;
use crate::pair::Pair;

/// What a process took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub time: Duration,
    /// Of user and kernel together, with its own children. Seconds.
    pub processor: f64,
    /// Most memory of the process itself (VmHWM). Bytes.
    pub peak: u64,
}

impl Cost {
    /// Runs a command to its end and gives what it printed.
    pub fn of(command: &mut Command) -> (String, Cost) {
        let (before, start) = (processor(), Instant::now());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let mut peak = 0;
        let (status, time) = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break (status, start.elapsed());
            }
            peak = peak.max(peak_of(&child.id().to_string()).unwrap_or(0));
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{command:?}: {status}");
        (reader.join().unwrap(), Cost { time, processor: processor() - before, peak })
    }
}

/// Processor time of all children that ended, in seconds: cutime and cstime (proc(5)), in hundredths.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    (ticks(13) + ticks(14)) as f64 / 100.0
}

pub fn peak_of(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

pub fn measure(ours: &Ours, casync: Option<&Casync>, pair: &Pair, rounds: usize) {
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        own.push(ours.applied().1);
        theirs.extend(casync.map(|casync| casync.extract(pair)));
    }
    println!(
        "| applying all three, from local files, median of {rounds}, run in turn | seconds | of processor | MiB |"
    );
    println!("|---|---:|---:|---:|");
    for (name, costs) in [("GeminiOS", &own), ("casync extract", &theirs)] {
        if costs.is_empty() {
            continue;
        }
        let (time, processor, peak) = medians(costs);
        println!("| {name} | {time:.2} | {processor:.2} | {:.1} |", peak as f64 / f64::from(1 << 20));
    }
    if !theirs.is_empty() {
        let ((time, processor, _), (other, others, _)) = (medians(&own), medians(&theirs));
        println!("| ratio | {:.2} | {:.2} | |", time / other, processor / others);
    }
    println!("\nMemory of ours is to be at most 64 MiB.");
}

/// Of time and processor time; the most of memory.
fn medians(costs: &[Cost]) -> (f64, f64, u64) {
    let middle = |of: &dyn Fn(&Cost) -> f64| {
        let mut all: Vec<f64> = costs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let peak = costs.iter().map(|cost| cost.peak).max().unwrap_or(0);
    (middle(&|cost| cost.time.as_secs_f64()), middle(&|cost| cost.processor), peak)
}
