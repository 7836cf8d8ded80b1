//! What a synchronous standby costs: the same writes with it, and by the leader alone. `failover-trials cost`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::command::run;
use crate::load::checker;
use crate::network::Host;
use crate::site::Site;
use crate::sort::Sort;
use crate::table::quantile;

const WRITERS: [usize; 2] = [1, 8];

/// Who is asked to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The leader's, on the leader.
    PostgreSql,
    /// By the site's address: the checker, which reads twice for five writes.
    ApiServer,
}

/// What one kind of write took, in all rounds.
pub struct Row {
    asked: Asked,
    writers: usize,
    alone: bool,
    /// In each round.
    per_second: Vec<u64>,
    microseconds: Vec<u64>,
}

/// In turn, so that what else the machine does at a time meets both alike.
///
/// # Errors
/// The site does not come up or become whole; writes fail.
pub fn measure(rounds: usize, seconds: usize, say: &dyn Fn(&str)) -> Result<Vec<Row>> {
    let mut site = Site::without_client(Sort::Witness)?;
    let mut rows = Vec::new();
    for alone in [false, true] {
        for asked in [Asked::PostgreSql, Asked::ApiServer] {
            rows.extend(WRITERS.map(|writers| Row {
                asked,
                writers,
                alone,
                per_second: Vec::new(),
                microseconds: Vec::new(),
            }));
        }
    }
    for number in 1..=rounds {
        let tried = round(&mut site, &mut rows, seconds);
        if let Err(error) = tried {
            let folder = site.keep();
            return Err(error.context(format!("round {number}; all of it is in {}", folder.display())));
        }
        say(&format!("round {number} of {rounds} is done"));
    }
    Ok(rows)
}

fn round(site: &mut Site, rows: &mut [Row], seconds: usize) -> Result<()> {
    site.settle()?;
    let leader = site.leader()?;
    let stands = leader.other();
    rows.iter_mut().filter(|row| !row.alone).try_for_each(|row| write(site, leader, row, seconds))?;
    let (node, network) = site.node(stands);
    node.power_cut(network)?;
    site.until("the leader goes on alone", |site| site.leads_alone(leader) && site.answers(leader))?;
    rows.iter_mut().filter(|row| row.alone).try_for_each(|row| write(site, leader, row, seconds))?;
    let (node, network) = site.node(stands);
    node.power_on(network)?;
    site.settle()
}

fn write(site: &Site, leader: Host, row: &mut Row, seconds: usize) -> Result<()> {
    let took = match row.asked {
        Asked::PostgreSql => {
            let (writers, seconds) = (row.writers.to_string(), seconds.to_string());
            let said = site.at(leader).run(&["/opt/failover-trials", "commits", &writers, &seconds])?;
            said.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?
        }
        Asked::ApiServer => requests(site, row.writers, seconds)?,
    };
    row.per_second.push((took.len() / seconds) as u64);
    row.microseconds.extend(took);
    Ok(())
}

/// Microseconds of the checker's acknowledged writes.
fn requests(site: &Site, workers: usize, seconds: usize) -> Result<Vec<u64>> {
    let history = site.folder().join("cost.jsonl");
    let mut command = site.network.at(Host::Client);
    command.arg(checker()?).args(["run", "--rate=10000", "--keep=300", "--watches=0"]);
    command.args([format!("--workers={workers}"), format!("--duration={seconds}s")]);
    command.arg("--history").arg(&history).arg("--kubeconfig").arg(site.kubeconfig()?);
    run(&mut command)?;
    let took = of_history(BufReader::new(open(&history)?))?;
    std::fs::remove_file(&history)?;
    Ok(took)
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| path.display().to_string())
}

#[derive(Deserialize)]
struct Record {
    t: i64,
    ev: String,
    #[serde(default)]
    op: i64,
    #[serde(default, rename = "do")]
    what: String,
}

fn of_history(history: impl BufRead) -> Result<Vec<u64>> {
    let mut begun = std::collections::HashMap::new();
    let mut took = Vec::new();
    for line in history.lines() {
        let Record { t, ev, op, what } = serde_json::from_str(&line?)?;
        match ev.as_str() {
            "invoke" if ["create", "update", "delete"].contains(&what.as_str()) => {
                begun.insert(op, t);
            }
            "ok" => took.extend(begun.remove(&op).and_then(|begun| u64::try_from((t - begun) / 1000).ok())),
            _ => {}
        }
    }
    Ok(took)
}

/// Writes a second: the median of the rounds. Milliseconds: of all writes.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| written to | writers | standby | writes a second | median ms | p99 ms | n |\n|---|---:|---|---:|---:|---:|---:|\n",
    );
    for row in rows {
        let asked = match row.asked {
            Asked::PostgreSql => "PostgreSQL",
            Asked::ApiServer => "API server",
        };
        let standby = if row.alone { "none" } else { "synchronous" };
        let per_second = crate::table::figure(&row.per_second, 50);
        let [median, most] = [50, 99].map(|percent| milliseconds(quantile(&row.microseconds, percent)));
        let (writers, n) = (row.writers, row.microseconds.len());
        let _ = writeln!(out, "| {asked} | {writers} | {standby} | {per_second} | {median} | {most} | {n} |");
    }
    out
}

fn milliseconds(microseconds: Option<u64>) -> String {
    microseconds.map_or("-".to_owned(), |time| format!("{:.2}", time as f64 / 1000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_acknowledged_writes_are_counted() {
        let history = r#"{"t":0,"ev":"start","start":{"run":"x"}}
{"t":1000000,"ev":"invoke","op":1,"do":"create","key":"k"}
{"t":1100000,"ev":"invoke","op":2,"do":"get","key":"k"}
{"t":1200000,"ev":"ok","op":2}
{"t":1300000,"ev":"invoke","op":3,"do":"delete","key":"k"}
{"t":4500000,"ev":"ok","op":1,"rv":7}
{"t":4600000,"ev":"unknown","op":3}
"#;
        assert_eq!(of_history(history.as_bytes()).unwrap(), [3500]);
    }

    #[test]
    fn a_row_tells_rounds_and_writes() {
        let row = |alone, microseconds: &[u64]| Row {
            asked: Asked::PostgreSql,
            writers: 8,
            alone,
            per_second: vec![30, 10, 20],
            microseconds: microseconds.to_vec(),
        };
        let table = table(&[row(false, &[1000, 2000, 2500]), row(true, &[])]);
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(lines[0], "| PostgreSQL | 8 | synchronous | 20 | 2.00 | 2.50 | 3 |");
        assert_eq!(lines[1], "| PostgreSQL | 8 | none | 20 | - | - | 0 |");
    }
}
