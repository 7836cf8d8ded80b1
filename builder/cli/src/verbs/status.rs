use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde::Serialize;

use crate::args::site::Status as Args;
use crate::report::{self, Report};
use crate::session::Session;
use crate::site::{Credentials, Node, Pair, Phase};

#[derive(Serialize)]
struct Told {
    /// What keeps the site from being whole.
    faults: Vec<String>,
    nodes: Vec<Row>,
    last_change: Option<LastChange>,
}

/// One node; only its name and place if it did not answer.
#[derive(Serialize)]
struct Row {
    node: String,
    address: String,
    role: Option<String>,
    #[serde(skip)]
    words: String,
    epoch: Option<u64>,
    serves: bool,
    since_milliseconds: Option<u64>,
    lag_bytes: Option<u64>,
    decides: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct LastChange {
    epoch: u64,
    leader: String,
    by: String,
    ago_milliseconds: u64,
    phases: Vec<Phase>,
}

/// Shows both nodes; fails if the site is not whole.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let credentials = Credentials::read(&args.site.credentials)?;
    let pair = Pair::ask(&args.site.node, args.site.other.as_deref(), &credentials)?;
    let told = Told::of(&pair);
    report::print(&told, session.global.format)?;
    if told.faults.is_empty() {
        return Ok(());
    }
    bail!("the site is not whole: {}", told.faults.join("; "))
}

impl Told {
    fn of(pair: &Pair<'_>) -> Self {
        let told =
            pair.leader().map(|(leader, _)| leader).or(pair.nodes.iter().find(|node| node.seen.is_ok()));
        let seen = told.and_then(|node| node.seen.as_ref().ok());
        let last_change = seen.and_then(|seen| {
            let change = seen.change()?;
            Some(LastChange {
                epoch: change.epoch,
                leader: seen.leader().to_owned(),
                by: change.by().to_owned(),
                ago_milliseconds: seen.since()?,
                phases: change.phases(),
            })
        });
        Told { faults: faults(pair), nodes: pair.nodes.iter().map(Row::of).collect(), last_change }
    }
}

fn faults(pair: &Pair<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for node in &pair.nodes {
        match &node.seen {
            // The row has the reason.
            Err(_) => faults.push(format!("{} gives no answer", node.name)),
            Ok(seen) if !["leader", "standby"].contains(&seen.agent.role.as_str()) => {
                faults.push(format!("{} is {}", node.name, seen.role()));
            }
            Ok(_) => {}
        }
    }
    if pair.leader().is_none() && pair.nodes.iter().any(|node| node.seen.is_ok()) {
        faults.push("no node is seen to lead".to_owned());
    }
    if let [Ok(a), Ok(b)] = [&pair.nodes[0].seen, &pair.nodes[1].seen]
        && faults.is_empty()
        && a.agent.stored.record.epoch != b.agent.stored.record.epoch
    {
        faults.push("the nodes are of two epochs: the leader changes".to_owned());
    }
    faults
}

impl Row {
    fn of(node: &Node<'_>) -> Self {
        let (name, address) = (node.name.clone(), node.port.node.clone());
        match &node.seen {
            Ok(seen) => Row {
                node: name,
                address,
                role: Some(seen.agent.role.clone()),
                words: seen.role().to_owned(),
                epoch: Some(seen.agent.stored.record.epoch),
                serves: seen.agent.serves.is_some(),
                since_milliseconds: seen.since(),
                lag_bytes: Some(seen.agent.lag),
                decides: Some(seen.agent.decides.clone()),
                error: None,
            },
            Err(trouble) => Row {
                node: name,
                address,
                role: None,
                words: "no answer".to_owned(),
                epoch: None,
                serves: false,
                since_milliseconds: None,
                lag_bytes: None,
                decides: None,
                error: Some(trouble.to_string()),
            },
        }
    }

    fn cells(&self) -> Vec<String> {
        let or = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        vec![
            self.node.clone(),
            self.words.clone(),
            or(self.epoch.map(|epoch| epoch.to_string())),
            or(self.since_milliseconds.map(time)),
            or(self.lag_bytes.map(bytes)),
            or(self.decides.clone()),
        ]
    }
}

impl Report for Told {
    fn text(&self) -> String {
        let head = ["node", "role", "epoch", "for", "lag", "decides"].map(str::to_owned).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(self.nodes.iter().map(Row::cells)).collect();
        let mut out = report::table(&rows);
        for error in self.nodes.iter().filter_map(|row| row.error.as_ref()) {
            let _ = writeln!(out, "{error}");
        }
        if let Some(last) = &self.last_change {
            let _ = writeln!(
                out,
                "{} leads in epoch {}, since {}: {}",
                last.leader,
                last.epoch,
                time(last.ago_milliseconds),
                last.by
            );
            if !last.phases.is_empty() {
                let _ = writeln!(out, "  {}", phases(&last.phases));
            }
        }
        out
    }
}

/// `silent 1000 ms, decided 1040 ms: 2040 ms`.
pub fn phases(all: &[Phase]) -> String {
    let each: Vec<_> = all.iter().map(|phase| format!("{} {} ms", phase.name, phase.milliseconds)).collect();
    let sum: u64 = all.iter().map(|phase| phase.milliseconds).sum();
    format!("{}: {sum} ms", each.join(", "))
}

/// The two largest units.
fn time(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes() {
        let times = [(999, "0 s"), (59_000, "59 s"), (61_000, "1 min 1 s"), (7_260_000, "2 h 1 min")];
        for (milliseconds, text) in times.into_iter().chain([(180_000_000, "2 d 2 h")]) {
            assert_eq!(time(milliseconds), text);
        }
        for (count, text) in [(0, "0 B"), (9999, "9999 B"), (10_000, "10 kB"), (128_000_000, "128 MB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
