//! When a version counts as healthy: `/etc/geminios/health.toml`, which the image brings.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Where the image has it. Without it, the defaults count.
pub const FILE: &str = "/etc/geminios/health.toml";

/// Names of the checks that come with the program.
pub const OWN: [&str; 4] = ["units", "postgresql", "apiserver", "node"];

/// All of it, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// All checks have to pass for so long without a break.
    pub settle: Duration,
    /// A version on trial that is not healthy so long after its start is given up.
    pub deadline: Duration,
    /// A check that takes longer has failed.
    pub timeout: Duration,
    /// Checks that are not made.
    pub without: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Config { settle: seconds(60), deadline: seconds(15 * 60), timeout: seconds(30), without: Vec::new() }
    }
}

/// Why it is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error(
        "{}, line {line}: {problem}\n  help: keys are settle, deadline, timeout (such as \"60s\" or \"15m\") and without (names of checks)",
        path.display()
    )]
    Toml { path: PathBuf, line: usize, problem: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    settle: Option<Time>,
    deadline: Option<Time>,
    timeout: Option<Time>,
    #[serde(default)]
    without: Vec<Own>,
}

impl Config {
    /// # Errors
    /// There is one, and it is wrong.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
            text => text.map_err(|error| ConfigError::Io { path: path.to_owned(), error })?,
        };
        let raw: Raw = toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
            let line = before.matches('\n').count() + 1;
            let problem = error.message().lines().next().unwrap_or("").to_owned();
            ConfigError::Toml { path: path.to_owned(), line, problem }
        })?;
        let default = Config::default();
        let or = |time: Option<Time>, default| time.map_or(default, |time| time.0);
        let config = Config {
            settle: or(raw.settle, default.settle),
            deadline: or(raw.deadline, default.deadline),
            timeout: or(raw.timeout, default.timeout),
            without: raw.without.into_iter().map(|own| own.0).collect(),
        };
        if config.deadline <= config.settle {
            let problem =
                "deadline is not longer than settle, so nothing could become healthy in time".to_owned();
            return Err(ConfigError::Toml { path: path.to_owned(), line: 1, problem });
        }
        Ok(config)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Time(Duration);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{}` is not a time such as `60s`, `15m` or `1h`", text.escape_debug());
        let unit = match text.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            _ => return Err(wrong()),
        };
        let digits = &text[..text.len() - 1];
        let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = if plain { digits.parse().map_err(|_| wrong())? } else { return Err(wrong()) };
        Ok(Time(Duration::from_secs(number * unit)))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Own(String);

impl TryFrom<String> for Own {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if OWN.contains(&name.as_str()) {
            return Ok(Own(name));
        }
        Err(format!("`{}` is no check; there are {}", name.escape_debug(), OWN.join(", ")))
    }
}
