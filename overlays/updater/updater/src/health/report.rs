//! What the checks said last, for `status`: also after a fallback, when another version runs.

use std::path::{Path, PathBuf};

use geminios_update_format::UnixTime;
use serde::{Deserialize, Serialize};

use crate::health::Verdict;
use crate::machine::{MachineError, io};
use crate::supply::keep;

const FILE: &str = "health.json";
/// The last report of the version that ran before.
const BEFORE: &str = "health-before.json";
/// A file that is larger was not written here.
const LARGEST: u64 = 256 << 10;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Not every check has passed for the set time yet.
    Waiting,
    Healthy,
    /// It was on trial and too late.
    GivenUp,
}

/// Of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub version: String,
    /// Whether another version comes back if this one does not become healthy.
    pub trial: bool,
    pub phase: Phase,
    /// When it was written.
    pub time: UnixTime,
    /// When a version on trial is given up.
    pub deadline: Option<UnixTime>,
    /// Those that were made, up to the first that failed.
    pub checks: Vec<Verdict>,
}

impl Report {
    /// The report of the version that runs or ran last.
    pub fn read(folder: &Path) -> Option<Report> {
        read(&folder.join(FILE))
    }

    /// That of the version before it.
    pub fn before(folder: &Path) -> Option<Report> {
        read(&folder.join(BEFORE))
    }

    /// Written only if it says something new: flash wears. The report of another version is kept.
    ///
    /// # Errors
    /// /var is full or broken.
    pub fn store(&self, folder: &Path) -> Result<(), MachineError> {
        let path = folder.join(FILE);
        if let Some(old) = Report::read(folder) {
            if (Report { time: self.time, deadline: self.deadline, ..old.clone() }) == *self {
                return Ok(());
            }
            if old.version != self.version {
                let before = folder.join(BEFORE);
                std::fs::rename(&path, &before).map_err(io("rename to", &before))?;
            }
        }
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        keep(&path, &bytes).map_err(io("write", &path))
    }
}

/// A report that is torn or of another format tells nothing, and nothing depends on it.
fn read(path: &PathBuf) -> Option<Report> {
    if std::fs::metadata(path).ok()?.len() > LARGEST {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
