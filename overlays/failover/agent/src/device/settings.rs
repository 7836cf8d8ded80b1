//! `/etc/geminios/failover.toml`: who this node is and what it has to decide with. README.md has an example of each kind.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use geminios_failover_core::{Config, Decides, Side};
use geminios_failover_hands::address::Prefix;
use geminios_failover_witness::Settings as Witness;
use serde::{Deserialize, Serialize};

/// What a site file has to say to do without a watchdog.
pub const WITHOUT_WATCHDOG: &str = "a leader that hangs may be read from until somebody resets it";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    pub me: Side,
    pub decides: Means,
    /// The site's secret: 64 hexadecimal digits, readable by root alone, the same on both nodes.
    pub key: PathBuf,
    /// Of the agent's own: the record.
    pub state: PathBuf,
    /// Where status is asked for and a person says what to do.
    pub socket: PathBuf,
    /// The same but for `lead`, for the management port: it is the folder's group's.
    pub management: Option<PathBuf>,
    /// Run as `PROGRAM lead|follow EPOCH ADDRESS HOW` when the leader changes.
    pub follow: PathBuf,
    /// Ways to the other node, each with addresses of its own.
    #[serde(rename = "path")]
    pub paths: Vec<Way>,
    pub address: Option<Address>,
    pub watchdog: Option<Watchdog>,
    /// [`WITHOUT_WATCHDOG`], word for word.
    pub without_watchdog: Option<String>,
    pub witness: Option<Witness>,
    pub fence: Option<Fence>,
    pub postgresql: Postgresql,
    #[serde(default)]
    pub times: Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Means {
    Witness,
    Fence,
    Standby,
    Person,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    pub mine: SocketAddr,
    pub other: SocketAddr,
}

/// The site's addresses, `ADDRESS/LENGTH`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    pub interface: String,
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watchdog {
    pub device: PathBuf,
    /// Seconds.
    pub timeout: u32,
}

/// How the other node is switched off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Fence {
    Redfish(Redfish),
    Command { program: PathBuf, arguments: Vec<String> },
    Gpio { chip: PathBuf, line: u32, active_low: bool },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redfish {
    pub origin: String,
    pub system: Option<String>,
    pub credentials: PathBuf,
    pub authority: Option<PathBuf>,
    pub public_key: Option<String>,
    #[serde(default)]
    pub session: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Postgresql {
    pub data: PathBuf,
    pub own: PathBuf,
    pub binaries: PathBuf,
    pub config: PathBuf,
    pub socket: PathBuf,
    #[serde(default = "port")]
    pub port: u16,
    #[serde(default = "port")]
    pub peer_port: u16,
    pub listen: IpAddr,
    pub peer: IpAddr,
    /// The systemd unit; without one the server is a child of nobody, started by pg_ctl.
    pub unit: Option<String>,
    /// User and group of the server where the agent is root.
    pub run_as: Option<(u32, u32)>,
    /// Users that come from the other node to a database of their own name: `kine`.
    #[serde(default)]
    pub clients: Vec<String>,
    pub tls: Option<Tls>,
    /// Megabytes of WAL that are kept for a standby.
    #[serde(default = "slot_keep")]
    pub slot_keep: u32,
    pub initdb: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tls {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub peer_name: String,
}

/// Milliseconds; see the core's `Config`. Both nodes have the same.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Times {
    pub heartbeat: u64,
    pub promise: u64,
    pub drift: u64,
    pub loss: u64,
    pub start: u64,
    pub fence_delay: u64,
    /// For one attempt to switch the other node off.
    pub fence: u64,
    /// For a write to the disk, before it counts as hung.
    pub disk: u64,
}

impl Default for Times {
    fn default() -> Self {
        Times {
            heartbeat: 250,
            promise: 2000,
            drift: 40,
            loss: 1000,
            start: 10_000,
            fence_delay: 11_500,
            fence: 10_000,
            disk: 5000,
        }
    }
}

fn port() -> u16 {
    5432
}

fn slot_keep() -> u32 {
    1024
}

impl Settings {
    /// # Errors
    /// The file, the line, and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| at(&error))?;
        let settings: Settings = toml::from_str(&text).map_err(|error| at(&error))?;
        settings.check().map_err(|error| at(&error))?;
        Ok(settings)
    }

    pub fn core(&self) -> Config {
        let Times { heartbeat, promise, drift, loss, start, fence_delay, .. } = self.times;
        let decides = match self.decides {
            Means::Witness => Decides::Witness,
            Means::Fence => Decides::Fence,
            Means::Standby => Decides::Standby,
            Means::Person => Decides::Person,
        };
        let watchdog = self.watchdog.as_ref().map_or(0, |watchdog| u64::from(watchdog.timeout) * 1000);
        Config { me: self.me, decides, heartbeat, promise, drift, loss, start, watchdog, fence_delay }
    }

    fn check(&self) -> Result<(), String> {
        let wrong = |text: String| Err(text);
        if self.paths.is_empty() {
            return wrong("there is no [[path]] to the other node".into());
        }
        match (self.decides, &self.witness, &self.fence) {
            (Means::Witness, None, _) => {
                return wrong("`decides` is \"witness\", but there is no [witness]".into());
            }
            (Means::Fence, _, None) => {
                return wrong("`decides` is \"fence\", but there is no [fence]".into());
            }
            _ => {}
        }
        let Times { heartbeat, promise, drift, loss, fence, fence_delay, disk, .. } = self.times;
        let apart = fence + loss + 2 * heartbeat;
        if self.decides == Means::Fence && fence_delay < apart {
            return wrong(format!(
                "[times]: fence-delay {fence_delay}: the standby would begin while the leader's attempt still runs, and a cut cable could switch \
                 both off\n  help: fence ({fence}), loss and two heartbeats are {apart}; where the board is quicker, lower `fence` too"
            ));
        }
        if disk < super::disk::LEAST {
            return wrong(format!(
                "[times]: disk {disk}: it is looked at once a second, and given at least {}",
                super::disk::LEAST
            ));
        }
        if heartbeat == 0 || loss < 2 * heartbeat || promise <= loss + 2 * heartbeat {
            return wrong(format!(
                "[times]: heartbeat {heartbeat}, loss {loss}, promise {promise}: a loss is at least two heartbeats, and a \
                 promise more than two heartbeats longer than a loss"
            ));
        }
        if drift * 100 < promise {
            return wrong(format!("[times]: drift {drift} is less than a hundredth of promise {promise}"));
        }
        match (&self.watchdog, self.without_watchdog.as_deref()) {
            (Some(watchdog), _) if u64::from(watchdog.timeout) * 1000 + 2 * heartbeat > promise => {
                wrong(format!(
                    "[watchdog]: it would fire after {} s, and with it must a promise of {promise} ms not have passed\n  help: set \
                 `promise` under [times] to {} or more on both nodes",
                    watchdog.timeout,
                    u64::from(watchdog.timeout) * 1000 + 2 * heartbeat
                ))
            }
            (None, said) if said != Some(WITHOUT_WATCHDOG) => wrong(format!(
                "there is no [watchdog], so a leader that hangs cannot be stopped\n  help: if that is accepted, say so in these \
                 words: without-watchdog = \"{WITHOUT_WATCHDOG}\""
            )),
            _ => Ok(()),
        }
    }
}

impl Address {
    /// # Errors
    /// One that is no `ADDRESS/LENGTH`.
    pub fn prefixes(&self) -> Result<Vec<Prefix>, String> {
        let parse = |text: &String| {
            let (address, length) = text.split_once('/')?;
            Some(Prefix { address: address.parse().ok()?, length: length.parse().ok()? })
        };
        let wrong = |text: &String| format!("[address]: `{text}` is not like 192.0.2.10/24");
        self.addresses.iter().map(|text| parse(text).ok_or_else(|| wrong(text))).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const GOOD: &str = "me = 'a'\ndecides = 'fence'\nkey = '/k'\nstate = '/s'\nsocket = '/o'\nfollow = '/f'\n\
        without-watchdog = 'a leader that hangs may be read from until somebody resets it'\n\
        [[path]]\nmine = '192.0.2.1:1'\nother = '192.0.2.2:1'\n[fence.command]\nprogram = '/p'\narguments = []\n\
        [postgresql]\ndata = '/d'\nown = '/w'\nbinaries = '/b'\nconfig = '/c'\nsocket = '/r'\nlisten = '192.0.2.1'\npeer = '192.0.2.2'\n[times]\n";

    fn checked(text: &str) -> Result<(), String> {
        toml::from_str::<Settings>(text).unwrap().check()
    }

    #[test]
    fn what_could_not_be_safe_is_refused_with_a_remedy() {
        assert_eq!(checked(GOOD), Ok(()));
        let cases = [
            ("fence-delay = 11499\n", "could switch both off"),
            ("fence = 20000\n", "could switch both off"),
            ("heartbeat = 600\nfence-delay = 20000\n", "a loss is at least two heartbeats"),
            ("drift = 10\n", "less than a hundredth"),
            ("disk = 1999\n", "given at least 2000"),
        ];
        for (times, expected) in cases {
            let refused = checked(&format!("{GOOD}{times}")).unwrap_err();
            assert!(refused.contains(expected), "{times}: {refused}");
        }
        assert_eq!(checked(&format!("{GOOD}fence = 1000\nfence-delay = 2500\n")), Ok(()));
        for (from, to, expected) in [
            ("without-watchdog = 'a leader", "without-watchdog = 'A leader", "there is no [watchdog]"),
            ("decides = 'fence'", "decides = 'witness'", "there is no [witness]"),
            ("[fence.command]\nprogram = '/p'\narguments = []\n", "", "there is no [fence]"),
        ] {
            let refused = checked(&GOOD.replace(from, to)).unwrap_err();
            assert!(refused.contains(expected), "{to}: {refused}");
        }
    }
}
