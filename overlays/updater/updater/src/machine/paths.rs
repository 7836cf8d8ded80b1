//! Where things are. Tests put a folder in the place of `/`.

use std::path::{Path, PathBuf};

/// A root, and what is below it.
#[derive(Clone, Debug)]
pub struct Paths(PathBuf);

impl Default for Paths {
    fn default() -> Self {
        Paths::below("/")
    }
}

impl Paths {
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Paths(root.into())
    }

    /// An absolute path, as it stands in messages, below this root.
    pub fn at(&self, absolute: &str) -> PathBuf {
        self.0.join(absolute.trim_start_matches('/'))
    }

    /// What outlives restarts and updates: the journal, the state of trust, the last health report, snapshots.
    pub fn state(&self) -> PathBuf {
        self.at("/var/lib/geminios/updater")
    }

    /// What is gone after a restart.
    pub fn runtime(&self) -> PathBuf {
        self.at("/run/geminios")
    }

    pub fn root(&self) -> &Path {
        &self.0
    }
}
