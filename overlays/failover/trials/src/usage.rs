//! What programs use: memory, and time of the processors.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::param::clock_ticks_per_second;
use rustix::process::Pid;

use crate::site::Site;
use crate::sort::Sort;

/// A machine, and what runs there.
pub struct Machine<'a> {
    pub name: &'static str,
    pub processes: Box<dyn Fn() -> Result<Vec<Pid>> + 'a>,
}

/// Of all processes of one program on one machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    pub processes: usize,
    /// In kB. What several processes share is counted for each in `rss`, and divided among them in `pss`.
    pub rss: u64,
    pub pss: u64,
    /// Of one processor.
    pub percent: f64,
}

/// Machine and program.
pub type Usages = BTreeMap<(&'static str, String), Usage>;

/// A site at which nothing is written, and that has been so for a while: `failover-trials idle`.
///
/// # Errors
/// The site does not come up, or something ends meanwhile.
pub fn of_idle_site(time: Duration) -> Result<Usages> {
    let site = Site::without_client(Sort::Witness)?;
    settle();
    let leader = site.leader()?;
    let (leads, stands) = (site.at(leader), site.at(leader.other()));
    let witness = site.witness().map(std::process::Child::id).context("there is no witness")?;
    let machines = [
        Machine { name: "leader", processes: Box::new(|| leads.processes()) },
        Machine { name: "standby", processes: Box::new(|| stands.processes()) },
        Machine { name: "witness", processes: Box::new(move || one(witness)) },
    ];
    let usages = over(&machines, time)?;
    if site.leader()? != leader {
        bail!("the other node leads now");
    }
    Ok(usages)
}

/// What starts has ended by then.
pub fn settle() {
    sleep(Duration::from_secs(30));
}

/// # Errors
/// It is no number of a process.
pub fn one(pid: u32) -> Result<Vec<Pid>> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(vec![pid.context("no process has this number")?])
}

/// Processors: over all this time. Memory: at its end.
///
/// # Errors
/// A machine is off.
pub fn over(machines: &[Machine], time: Duration) -> Result<Usages> {
    let begun = Instant::now();
    let before = look(machines)?;
    sleep(time);
    let after = look(machines)?;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(after
        .into_iter()
        .map(|(key, (usage, ticks))| {
            let since = ticks.saturating_sub(before.get(&key).map_or(0, |(_, ticks)| *ticks));
            let percent = since as f64 / clock_ticks_per_second() as f64 / seconds * 100.0;
            (key, Usage { percent, ..usage })
        })
        .collect())
}

/// With the ticks of the processors so far.
type Seen = BTreeMap<(&'static str, String), (Usage, u64)>;

fn look(machines: &[Machine]) -> Result<Seen> {
    let mut seen = Seen::new();
    for machine in machines {
        for pid in (machine.processes)()? {
            let file = |name| fs::read_to_string(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
            // One that has just ended has none of it any more.
            let (Ok(name), Ok(memory), Ok(stat)) = (file("comm"), file("smaps_rollup"), file("stat")) else {
                continue;
            };
            let Some(program) = program(name.trim_end()) else { continue };
            let (usage, ticks) = seen.entry((machine.name, program.to_owned())).or_default();
            usage.processes += 1;
            usage.rss += kilobytes(&memory, "Rss:").unwrap_or(0);
            usage.pss += kilobytes(&memory, "Pss:").unwrap_or(0);
            *ticks += clock_ticks(&stat).unwrap_or(0);
        }
    }
    Ok(seen)
}

/// The kernel keeps 15 characters of a name. What stands in for systemd is not counted.
fn program(name: &str) -> Option<&str> {
    match name {
        "failover-trials" | "sh" => None,
        "geminios-failov" => Some("agent"),
        "geminios-witnes" => Some("witness"),
        "kine" => Some("Kine"),
        "kube-apiserver" => Some("API server"),
        "patroni" => Some("Patroni"),
        "postgres" => Some("PostgreSQL"),
        other => Some(other),
    }
}

fn kilobytes(smaps: &str, key: &str) -> Option<u64> {
    smaps.lines().find_map(|line| line.strip_prefix(key))?.split_ascii_whitespace().next()?.parse().ok()
}

/// Its own, and those of its children that have ended (proc(5): utime, stime, cutime, cstime).
fn clock_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_ascii_whitespace().skip(11).take(4);
    times.map(|time| time.parse::<u64>().ok()).sum()
}

/// A line for each program, and the sum of each machine.
#[must_use]
pub fn table(usages: &Usages) -> String {
    let mut out = String::from(
        "| machine | program | processes | PSS MB | RSS MB | % of a core |\n|---|---|---:|---:|---:|---:|\n",
    );
    let mut sums = BTreeMap::<&str, Usage>::new();
    for ((machine, program), usage) in usages {
        line(&mut out, machine, program, usage);
        let sum = sums.entry(machine).or_default();
        sum.processes += usage.processes;
        sum.rss += usage.rss;
        sum.pss += usage.pss;
        sum.percent += usage.percent;
    }
    for (machine, sum) in &sums {
        line(&mut out, machine, "all of these", sum);
    }
    out
}

fn line(out: &mut String, machine: &str, program: &str, usage: &Usage) {
    let Usage { processes, rss, pss, percent } = *usage;
    let megabytes = |kilobytes: u64| kilobytes as f64 / 1024.0;
    let (pss, rss) = (megabytes(pss), megabytes(rss));
    let _ = writeln!(out, "| {machine} | {program} | {processes} | {pss:.1} | {rss:.1} | {percent:.2} |");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_of_a_process() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 50 60 7 8 20 0 1 0 99 1 1";
        assert_eq!(clock_ticks(stat), Some(125));
        assert_eq!(clock_ticks("7 (a"), None);
        let smaps = "5-7 ---p 0 [rollup]\nRss:     120 kB\nPss:      60 kB\nPss_Dirty:  1 kB\n";
        assert_eq!((kilobytes(smaps, "Rss:"), kilobytes(smaps, "Pss:")), (Some(120), Some(60)));
    }

    #[test]
    fn a_machine_has_a_sum() {
        let usage = |pss, percent| Usage { processes: 1, rss: 2048, pss, percent };
        let usages = Usages::from([
            (("leader", "agent".to_owned()), usage(1024, 0.5)),
            (("leader", "Kine".to_owned()), usage(2048, 1.0)),
        ]);
        assert!(table(&usages).ends_with("| leader | all of these | 2 | 3.0 | 4.0 | 1.50 |\n"));
    }
}
