//! Patroni on this machine, with etcd where our witness is: the peer beside whose figures ours stand. `failover-trials patroni`.
//!
//! Only its PostgreSQL is written to: neither Kine nor an API server has to follow.

mod cluster;
mod installed;
mod lease;
mod round;
mod settings;
mod table;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::options::numbers;
use crate::usage;
use cluster::Cluster;
use installed::Installed;
use lease::Lease;
use round::FAULTS;
use table::Row;

/// `patroni [--rounds N] [--seconds N] [LEASE...]`. Whether all went well, and nothing acknowledged was lost.
///
/// # Errors
/// Wrong words; something is not installed; this machine or user cannot do this; a cluster does not come up.
pub fn run(words: &[&str], say: &dyn Fn(&str)) -> Result<bool> {
    let ([rounds, seconds], names) = numbers(words, [("--rounds", 1), ("--seconds", 60)])?;
    let leases = lease::named(&names)?;
    let installed = Installed::find()?;
    say(&installed.to_string());
    let mut rows = Vec::new();
    let mut is_good = true;
    for lease in leases {
        let mut cluster = Cluster::up(&installed, lease)?;
        let tried = trials(&mut cluster, rounds, Duration::from_secs(seconds as u64), &mut rows, say);
        match tried {
            Ok(lost) => is_good &= lost == 0,
            Err(error) => {
                say(&table::table(&rows));
                bail!("{error:#}\nall of it is in {}", cluster.keep().display());
            }
        }
    }
    say(&table::table(&rows));
    Ok(is_good)
}

/// How many acknowledged rows are lost.
fn trials(
    cluster: &mut Cluster,
    rounds: usize,
    idle: Duration,
    rows: &mut Vec<Row>,
    say: &dyn Fn(&str),
) -> Result<usize> {
    let Lease { name, .. } = cluster.lease;
    say(&format!("{name}: {}; etcd gave {} s", cluster.lease, cluster.granted()?));
    usage::settle();
    say(&usage::table(&cluster.usage(idle)?));
    cluster.start_writer()?;
    for fault in FAULTS {
        rows.push(Row { lease: name, fault: fault.name, rounds: Vec::new() });
        let Some(row) = rows.last_mut() else { continue };
        for number in 1..=rounds {
            let round = round::round(cluster, fault, number)
                .with_context(|| format!("{name}, {} {number}", fault.name))?;
            say(&format!("{name}, {} {number}: {round}", fault.name));
            row.rounds.push(round);
        }
    }
    let (acknowledged, lost) = cluster.judge()?;
    say(&format!("{name}: {acknowledged} rows acknowledged, {} of them lost {lost:?}", lost.len()));
    Ok(lost.len())
}
