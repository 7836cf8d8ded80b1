//! The CIS Kubernetes Benchmark as a table of checks that run on the node.

mod verdict;

use std::fmt;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

pub use verdict::{Findings, Verdict};

/// Its checks and their numbers are those of 1.12.
pub const BENCHMARK: &str = "2.0.1";

/// What the kinds of check do on the node.
const LIBRARY: &str = include_str!("../cis/checks.sh");

const FILES: [&str; 4] = [
    include_str!("../cis/1-control-plane.toml"),
    include_str!("../cis/2-etcd.toml"),
    include_str!("../cis/4-worker.toml"),
    include_str!("../cis/5-policies.toml"),
];

/// A kind of check: a function of `checks.sh`, and how many words it takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    words: usize,
    /// Whether more may follow, which are kubectl's.
    more: bool,
}

const fn kind(name: &'static str, words: usize) -> Kind {
    Kind { name, words, more: false }
}

pub const KINDS: [Kind; 19] = [
    kind("flag-absent", 2),
    kind("flag-is", 3),
    kind("flag-has", 3),
    kind("flag-lacks", 3),
    kind("flag-at-least", 3),
    kind("flag-file", 4),
    kind("file", 3),
    kind("tree", 2),
    kind("unit", 3),
    kind("working-folder", 3),
    kind("kubelet-has", 1),
    kind("answers", 2),
    kind("tls-refused", 2),
    kind("port-on-loopback", 1),
    kind("port-closed", 1),
    kind("not-served", 2),
    kind("nobody-may", 2),
    Kind { more: true, ..kind("every-line", 2) },
    Kind { more: true, ..kind("no-line", 2) },
];

/// A control's number, ordered as the benchmark orders them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(Vec<u32>);

impl Number {
    /// # Errors
    /// It is not numbers between dots.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        Ok(Number(parts.with_context(|| format!("`{text}` is no number of a control"))?))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

/// What is expected of a control.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    Applies,
    /// And why. Its checks, if it has any, look at what stands in its place.
    DoesNotApply(String),
    /// It is known to fail, and why.
    Deviates(String),
}

/// One control of the benchmark.
#[derive(Debug)]
pub struct Control {
    pub number: Number,
    pub title: String,
    pub standing: Standing,
    /// Each begins with the name of its kind.
    pub checks: Vec<Vec<String>>,
}

/// Controls in the order of their numbers.
#[derive(Debug)]
pub struct Table(pub Vec<Control>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    control: Vec<RawControl>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawControl {
    number: String,
    title: String,
    does_not_apply: Option<String>,
    deviates: Option<String>,
    #[serde(default)]
    check: Vec<Vec<String>>,
}

impl Table {
    /// The benchmark's automated controls, as this project checks them.
    ///
    /// # Errors
    /// As [`Table::parse`].
    pub fn of_benchmark() -> Result<Self> {
        Self::parse(&FILES)
    }

    /// # Errors
    /// A file has another form, a check is of no known kind, or a number is out of order.
    pub fn parse(files: &[&str]) -> Result<Self> {
        let mut controls: Vec<Control> = Vec::new();
        for text in files {
            for raw in toml::from_str::<RawFile>(text)?.control {
                let control = Control::checked(raw)?;
                if let Some(before) = controls.last().filter(|before| before.number >= control.number) {
                    bail!("{} stands after {}", control.number, before.number);
                }
                controls.push(control);
            }
        }
        Ok(Table(controls))
    }

    /// For bash on the node. It goes through a terminal: short lines, no tabs.
    pub fn script(&self) -> String {
        let lines = LIBRARY.lines().map(str::trim_start);
        let mut script: String = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .flat_map(|line| [line, "\n"])
            .collect();
        for control in self.0.iter().filter(|control| !control.checks.is_empty()) {
            script += &format!("control {}\n", control.number);
            for check in &control.checks {
                let words: Vec<String> = check.iter().map(|word| quoted(word)).collect();
                script += &format!("{}\n", words.join(" "));
            }
        }
        script + "finish\n"
    }
}

impl Control {
    fn checked(raw: RawControl) -> Result<Self> {
        let RawControl { number, title, does_not_apply, deviates, check: checks } = raw;
        let standing = match (does_not_apply, deviates) {
            (None, None) => Standing::Applies,
            (Some(reason), None) => Standing::DoesNotApply(reason),
            (None, Some(reason)) => Standing::Deviates(reason),
            (Some(_), Some(_)) => bail!("{number} does not apply and deviates"),
        };
        ensure!(
            !checks.is_empty() || matches!(standing, Standing::DoesNotApply(_)),
            "{number} applies and has no check"
        );
        for check in &checks {
            let (name, words) = check.split_first().with_context(|| format!("{number}: an empty check"))?;
            let kind = KINDS.iter().find(|kind| kind.name == name);
            let kind = kind.with_context(|| format!("{number}: no kind of check is named `{name}`"))?;
            let fits = words.len() == kind.words || kind.more && words.len() > kind.words;
            ensure!(fits, "{number}: `{name}` takes {} words, not {}", kind.words, words.len());
            let is_plain =
                |word: &String| word.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\'');
            ensure!(words.iter().all(is_plain), "{number}: a quote, tab or letter beyond ASCII in {words:?}");
        }
        Ok(Control { number: Number::parse(&number)?, title, standing, checks })
    }
}

fn quoted(word: &str) -> String {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,=%@".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_safe) { word.to_owned() } else { format!("'{word}'") }
}

/// The table of `docs/cis.md`.
pub fn rows(table: &Table) -> String {
    let mut page = String::from("| number | control | checks | result |\n|---|---|---|---|\n");
    for control in &table.0 {
        let checks = control.checks.iter().map(|check| format!("`{}`", check.join(" ").replace('|', "\\|")));
        let checks: Vec<String> = checks.collect();
        let result = match &control.standing {
            Standing::Applies => "checked".into(),
            Standing::DoesNotApply(reason) => format!("does not apply: {reason}"),
            Standing::Deviates(reason) => format!("deviation: {reason}"),
        };
        let checks = checks.join("<br>");
        page += &format!("| {} | {} | {checks} | {result} |\n", control.number, control.title);
    }
    page
}
