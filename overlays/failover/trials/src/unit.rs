//! What systemd would run on the device, read from the image's units: the same flags, environment and pauses.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// A program that is started again when it ends, as by `Restart=always`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unit {
    pub name: String,
    pub command: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub user: Option<u32>,
    /// Between its end and the next start.
    pub pause: Duration,
    /// Started with the machine; else when it gets its last argument.
    pub starts: bool,
}

impl Unit {
    /// `variables`: what `EnvironmentFile=` has on the device.
    ///
    /// # Errors
    /// The unit cannot be read, or has no command.
    pub fn of_image(root: &Path, name: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let path = root.join("usr/lib/systemd/system").join(format!("{name}.service"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let text = text.replace("\\\n", " ");
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        let mut line =
            value("ExecStart=").with_context(|| format!("{}: no ExecStart", path.display()))?.to_owned();
        for (key, value) in variables {
            line = line.replace(&format!("${{{key}}}"), value);
        }
        let pair = |word: &str| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        let user = value("User=").map(|user| id(root, user)).transpose()?;
        Ok(Unit {
            name: name.to_owned(),
            command: line.split_ascii_whitespace().map(str::to_owned).collect(),
            environment: value("Environment=").unwrap_or_default().split(' ').filter_map(pair).collect(),
            user,
            pause: value("RestartSec=").map_or(Ok(Duration::from_millis(100)), pause)?,
            starts: true,
        })
    }
}

/// `100ms` or `2s`; systemd.time(7) knows more.
fn pause(text: &str) -> Result<Duration> {
    let number = |text: &str| text.parse().with_context(|| format!("RestartSec={text}"));
    match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => Ok(Duration::from_millis(number(millis)?)),
        (_, Some(seconds)) => Ok(Duration::from_secs(number(seconds)?)),
        _ => bail!("RestartSec={text}: neither ms nor s"),
    }
}

/// The number of a user of the image.
///
/// # Errors
/// There is none of that name.
pub fn id(root: &Path, user: &str) -> Result<u32> {
    let path = root.join("etc/passwd");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut users = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found =
        users.find(|fields| fields.first() == Some(&user)).and_then(|fields| fields.get(2)?.parse().ok());
    found.with_context(|| format!("{}: no user {user}", path.display()))
}
