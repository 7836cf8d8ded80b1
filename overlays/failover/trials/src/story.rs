//! What the agents, and the first processes of the nodes, say happened, on one time.

use std::fmt;

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

/// Milliseconds since the host started: CLOCK_BOOTTIME, as the agents count.
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    pub at: u64,
    pub what: String,
    #[serde(default)]
    pub host: String,
}

#[derive(Clone, Debug, Default)]
pub struct Story(pub Vec<Line>);

impl Story {
    /// Of one agent's `story`.
    ///
    /// # Errors
    /// It is none.
    pub fn of_agent(host: &str, json: &str) -> Result<Self> {
        let lines: Vec<Line> = serde_json::from_str(json)?;
        Ok(Story(lines.into_iter().map(|line| Line { host: host.to_owned(), ..line }).collect()))
    }

    /// Of a machine's log.
    #[must_use]
    pub fn of_machine(host: &str, log: &str) -> Self {
        let line = |line: &str| {
            let (at, what) = line.split_once(' ')?;
            Some(Line { at: at.parse().ok()?, what: what.to_owned(), host: host.to_owned() })
        };
        Story(log.lines().filter_map(line).collect())
    }

    /// One after the other, from this time on.
    #[must_use]
    pub fn merged(stories: Vec<Story>, from: u64, to: u64) -> Self {
        let lines = stories.into_iter().flat_map(|story| story.0);
        let mut lines: Vec<Line> = lines.filter(|line| (from..=to).contains(&line.at)).collect();
        lines.sort_by_key(|line| line.at);
        Story(lines)
    }

    /// Milliseconds after `from` of the first line that says this.
    #[must_use]
    pub fn first(&self, from: u64, host: &str, text: &str) -> Option<u64> {
        self.0.iter().find(|line| line.host == host && line.what.contains(text)).map(|line| line.at - from)
    }
}

/// The steps of a failover, in milliseconds after the fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    pub detected: Option<u64>,
    pub decided: Option<u64>,
    pub promoted: Option<u64>,
    pub address: Option<u64>,
    pub kine: Option<u64>,
}

impl Phases {
    /// Of this node, which leads afterwards.
    #[must_use]
    pub fn of(story: &Story, from: u64, host: &str) -> Self {
        let first = |text| story.first(from, host, text);
        Phases {
            detected: first("has not heard the other node"),
            decided: first("decided:"),
            promoted: first("postgresql is Primary"),
            address: first("serves in epoch"),
            kine: first("kine starts"),
        }
    }
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Phases { detected, decided, promoted, address, kine } = *self;
        let steps = [
            ("detect", detected),
            ("decide", decided),
            ("promote", promoted),
            ("address", address),
            ("Kine", kine),
        ];
        for (name, at) in steps {
            match at {
                Some(at) => write!(f, "{name} {at} ")?,
                None => write!(f, "{name} - ")?,
            }
        }
        Ok(())
    }
}
