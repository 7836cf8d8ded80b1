//! What the updater is told to do: where releases are, when it may work by itself, and how much it may fetch.
//!
//! The image brings [`IMAGE_FILE`]; a device may override each key in [`DEVICE_FILE`]. What neither says comes from `update` of
//! image.json. An unknown key is an error: a misspelt `budget` must not be no budget.

mod bytes;
mod window;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use geminios_update_format::name::is_label;
use serde::Deserialize;

use crate::image::Update;

pub use bytes::{amount, shown};
pub use window::{Window, now_in};

/// Of the image.
pub const IMAGE_FILE: &str = "/etc/geminios/update.toml";
/// Of this device.
pub const DEVICE_FILE: &str = "/var/lib/geminios/updater/update.toml";

/// What the timer's run does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Automatic {
    Off,
    /// Looks, and says what is there.
    #[default]
    Check,
    /// Also installs; whoever restarts the machine starts it.
    Install,
    InstallAndRestart,
}

/// All of it, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Address of the repository, without a slash at its end. None: releases come from a stick or by hand.
    pub url: Option<String>,
    pub channel: String,
    /// When an automatic run may download, install and restart. None at all: always.
    pub windows: Vec<Window>,
    /// Bytes a day that automatic runs may fetch. None: as many as there are.
    pub budget: Option<u64>,
    pub automatic: Automatic,
    /// Whether an automatic run takes a release from a USB stick.
    pub usb: bool,
}

/// Why a file of settings is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}, line {line}: {problem}\n  help: known keys are url, channel, windows, budget, automatic and usb", path.display())]
    Toml { path: PathBuf, line: usize, problem: String },
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    url: Option<Url>,
    channel: Option<Channel>,
    windows: Option<Vec<Window>>,
    budget: Option<Budget>,
    automatic: Option<Automatic>,
    usb: Option<bool>,
}

impl Config {
    /// Reads both files, if they are there. The later of them wins, key by key.
    ///
    /// # Errors
    /// One of them cannot be read, or has something in it that is not known.
    pub fn read(update: Option<&Update>, files: [&Path; 2]) -> Result<Self, ConfigError> {
        let [image, device] = files.map(raw);
        let (image, device) = (image?, device?);
        let url = update.and_then(|update| update.url.clone());
        let channel = update.map_or_else(|| "stable".to_owned(), |update| update.channel.clone());
        let budget = device.budget.or(image.budget).map_or(Budget::default(), |budget| budget);
        Ok(Config {
            url: device.url.or(image.url).map(|url| url.0).or(url).map(without_slash),
            channel: device.channel.or(image.channel).map_or(channel, |channel| channel.0),
            windows: device.windows.or(image.windows).unwrap_or_default(),
            budget: budget.0,
            automatic: device.automatic.or(image.automatic).unwrap_or_default(),
            usb: device.usb.or(image.usb).unwrap_or(false),
        })
    }
}

fn without_slash(url: String) -> String {
    url.trim_end_matches('/').to_owned()
}

fn raw(path: &Path) -> Result<Raw, ConfigError> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Raw::default()),
        text => text.map_err(|error| ConfigError::Io { path: path.to_owned(), error })?,
    };
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let problem = error.message().lines().next().unwrap_or("").to_owned();
        ConfigError::Toml { path: path.to_owned(), line, problem }
    })
}

/// Whether this can be the address of a repository.
///
/// # Errors
/// What it should be.
pub fn check_url(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_graphic() && !"\"\\'<>{}|^`?#".contains(c);
    match rest {
        // Nor is it repeated here.
        Some(rest) if rest.contains('@') => {
            Err("an address with `@` is not taken: a password would stand in every message".to_owned())
        }
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && rest.chars().all(plain) => Ok(()),
        _ => Err(format!("`{}` is not an address like https://updates.example.org/edge", url.escape_debug())),
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Url(String);

impl TryFrom<String> for Url {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        check_url(&url).map(|()| Url(url))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Channel(String);

impl TryFrom<String> for Channel {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if is_label(&name) {
            return Ok(Channel(name));
        }
        Err(format!("`{}` is not a name of a channel, like `stable`", name.escape_debug()))
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
struct Budget(Option<u64>);

impl TryFrom<String> for Budget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Budget(None));
        }
        let wrong = || format!("`{}` is not an amount like `500 MiB`, or `unlimited`", text.escape_debug());
        amount(&text).map(|bytes| Budget(Some(bytes))).ok_or_else(wrong)
    }
}

impl fmt::Display for Automatic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Automatic::Off => "off",
            Automatic::Check => "check",
            Automatic::Install => "install",
            Automatic::InstallAndRestart => "install-and-restart",
        })
    }
}
