//! What happened last, with times: the timeline of a failover, and figures for monitoring.

use std::collections::VecDeque;
use std::fmt::Write as _;

use geminios_failover::{Role, Status, Timeline, Told};
use geminios_failover_core::{Instant, Postgres, Record, Side, Stored};
use geminios_failover_postgres::Metrics;
use serde::Serialize;

/// Lines that are kept.
const KEPT: usize = 500;

pub struct Story {
    lines: VecDeque<Line>,
    refused: u64,
    pub timeline: Timeline,
}

#[derive(Clone, Debug, Serialize)]
struct Line {
    /// Milliseconds since the machine started.
    at: Instant,
    what: String,
}

impl Story {
    pub fn start(me: Side, stored: Option<&Stored>) -> Self {
        Story { lines: VecDeque::new(), refused: 0, timeline: Timeline::start(me, stored) }
    }

    pub fn add(&mut self, at: Instant, what: String) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { at, what });
    }

    /// Whether it is worth a line of the log: datagrams that do not count come in any number.
    pub fn tell(&mut self, at: Instant, told: &Told) -> bool {
        if matches!(told, Told::Datagram(_)) {
            self.refused += 1;
            if !self.refused.is_power_of_two() {
                return false;
            }
        }
        self.timeline.tell(at, told);
        self.add(at, line(told));
        true
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.lines).unwrap_or_default()
    }
}

pub fn line(told: &Told) -> String {
    match told {
        Told::Decided(Stored { record, decided, .. }) => {
            let Record { number, epoch, leader, alone, by } = record;
            let word = if *decided { "decided" } else { "proposed" };
            let alone = if *alone { ", alone" } else { "" };
            format!("{word}: record {number}, epoch {epoch}, {leader:?} leads{alone} (by {by:?})")
        }
        Told::Goal(goal) => format!("postgresql is to be {goal:?}"),
        Told::Postgres(Postgres::Stopped) => "postgresql has stopped".into(),
        Told::Postgres(postgres) => format!("postgresql is {postgres:?}"),
        Told::Serves(Some(epoch)) => format!("serves in epoch {epoch}"),
        Told::Serves(None) => "does not serve any more".into(),
        Told::Fencing => "has the other node switched off".into(),
        Told::Fenced(true) => "the other node was seen to be off".into(),
        Told::Fenced(false) => "the other node was not seen to be off".into(),
        Told::PeerHeard => "hears the other node".into(),
        Told::PeerSilent(time) => format!("has not heard the other node for {time} ms"),
        Told::Datagram(refused) => format!("a datagram does not count: {refused}"),
        Told::Refused(refusal) => format!("does not follow: {}", super::control::why(*refusal)),
    }
}

/// In the text format of Prometheus (prometheus.io, "Exposition formats").
pub fn metrics(status: &Status, postgres: &Metrics, story: &Story) -> String {
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, value: f64| {
        let _ =
            writeln!(out, "# HELP geminios_failover_{name} {help}\n# TYPE geminios_failover_{name} gauge");
        let _ = writeln!(out, "geminios_failover_{name} {value}");
    };
    let flag = |is: bool| f64::from(u8::from(is));
    #[allow(clippy::cast_precision_loss)] // Counters of a node stay far below 2^52.
    let number = |value: u64| value as f64;
    gauge("leads", "1 if clients are served here.", flag(status.serves.is_some()));
    gauge("led", "1 if clients are served, here or by the other node as it says.", flag(is_led(status)));
    gauge("alone", "1 if the leader acknowledges what the standby lacks.", flag(status.stored.record.alone));
    gauge("may_lead_next", "1 if this node may take over.", flag(status.role == Role::Standby));
    gauge("epoch", "Changes of the leader.", number(status.stored.record.epoch));
    gauge("record", "Number of the record that was decided last.", number(status.stored.record.number));
    gauge("role_changes", "Changes of the leader since the agent started.", number(story.timeline.total()));
    gauge("datagrams_refused", "Datagrams that did not count.", number(story.refused));
    if let Some(heard) = status.heard {
        gauge("peer_heard_seconds", "Since the other node was heard.", number(heard) / 1000.0);
    }
    if let Some(left) = status.serves_for {
        gauge(
            "lease_seconds",
            "How long this node may serve if it hears nothing more.",
            number(left) / 1000.0,
        );
    }
    gauge(
        "replication_lag_bytes",
        "What the standby has not flushed, or this node not replayed.",
        number(postgres.lag),
    );
    gauge("synchronous", "1 if each commit waits for the standby.", flag(postgres.sync));
    gauge(
        "fenced",
        "1 while the other node is off that this one had switched off.",
        flag(status.fenced.is_some()),
    );
    phases(&mut out, story);
    out
}

/// How old the other node's word may be to count.
const FRESH: u64 = 3000;

fn is_led(status: &Status) -> bool {
    let fresh = status.heard.is_some_and(|heard| heard < FRESH);
    status.serves.is_some() || fresh && matches!(status.peer, Some(Postgres::Primary { .. }))
}

fn phases(out: &mut String, story: &Story) {
    let Some(change) = story.timeline.changes().last() else { return };
    let name = "geminios_failover_last_change_seconds";
    let _ = writeln!(out, "# HELP {name} How long each step of the last change of the leader took.");
    let _ = writeln!(out, "# TYPE {name} gauge");
    for (phase, took) in change.phases() {
        let (seconds, milliseconds) = (took / 1000, took % 1000);
        let _ = writeln!(out, "{name}{{phase=\"{phase}\"}} {seconds}.{milliseconds:03}");
    }
}
