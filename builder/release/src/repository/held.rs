//! Which releases there are.

use std::fmt;

use semver::Version;

use crate::error::ReleaseError;
use crate::repository::Repository;
use crate::repository::current::Current;

/// A release of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    pub profile: String,
    pub board: String,
    pub version: Version,
    pub channels: Vec<String>,
}

impl Held {
    /// Whether it is an older release for the same devices.
    pub fn is_before(&self, other: &Held) -> bool {
        self.profile == other.profile && self.board == other.board && self.version < other.version
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} for {}", self.version, self.profile, self.board)
    }
}

impl Repository {
    /// All releases that its signed metadata lists, by profile, board and version.
    pub fn held(&self) -> Result<Vec<Held>, ReleaseError> {
        let current = Current::read(&self.store)?;
        let mut held: Vec<Held> = current.entries.keys().filter_map(|name| named(&current, name)).collect();
        held.sort();
        Ok(held)
    }
}

/// Of `PROFILE/BOARD/VERSION/release.json`.
fn named(current: &Current, name: &str) -> Option<Held> {
    let mut parts = name.split('/');
    let (profile, board, version) = (parts.next()?.to_owned(), parts.next()?.to_owned(), parts.next()?);
    Some(Held { profile, board, version: version.parse().ok()?, channels: current.channels(name) })
}
