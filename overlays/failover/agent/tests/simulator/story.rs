//! What happened, one line each: time, who, what.

use std::fmt::Write as _;

use crate::time::Micros;

pub struct Story {
    /// Nothing is written otherwise: that takes longer than the run.
    told: bool,
    lines: Vec<Line>,
}

struct Line {
    /// Of what happens many times in each second.
    fine: bool,
    text: String,
}

impl Story {
    pub fn new(told: bool) -> Self {
        Story { told, lines: Vec::new() }
    }

    pub fn add(&mut self, time: Micros, who: &str, what: impl FnOnce() -> String) {
        self.line(false, time, who, what);
    }

    pub fn add_fine(&mut self, time: Micros, who: &str, what: impl FnOnce() -> String) {
        self.line(true, time, who, what);
    }

    fn line(&mut self, fine: bool, time: Micros, who: &str, what: impl FnOnce() -> String) {
        if self.told {
            let text = format!("{:>7}.{:06}  {who:<8} {}", time / 1_000_000, time % 1_000_000, what());
            self.lines.push(Line { fine, text });
        }
    }

    pub fn all(&self) -> String {
        self.lines.iter().fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "{}", line.text);
            all
        })
    }

    /// The last lines, without heartbeats, polls and single writes.
    pub fn end(&self, count: usize) -> String {
        let lines: Vec<_> = self.lines.iter().filter(|line| !line.fine).collect();
        lines[lines.len().saturating_sub(count)..].iter().fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "{}", line.text);
            all
        })
    }
}
