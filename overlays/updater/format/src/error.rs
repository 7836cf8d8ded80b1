//! Why a repository or a release is refused.

use std::fmt;

use crate::time::{self, DAY, UnixTime};

/// A refusal. Its text is for people: the file, what was expected and what is there, and what may be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No JSON, or not of the format.
    #[error(
        "{file}: {problem}\n  help: the file is damaged or not of this format; fetch it again, or publish it anew"
    )]
    Malformed { file: String, problem: Problem },
    /// More bytes than the file may have.
    #[error(
        "{file}: longer than the {limit} bytes it may have\n  help: the server sends something else than the file; check its address, or a proxy between"
    )]
    TooLong { file: String, limit: u64 },
    /// Too few valid signatures.
    #[error("{file}: {valid} of {threshold} needed signatures are valid for role {role} of root version {root}{}\n  help: have it signed with enough keys of that role; if keys were rotated, publish every root version between", more(*others))]
    Signatures { file: String, role: &'static str, root: u64, threshold: u64, valid: u64, others: u64 },
    /// Another version than the one that must be here.
    #[error(
        "{file}: version {seen}, expected {expected} {because}\n  help: the repository is mixed from several states; copy it again as a whole"
    )]
    Version { file: String, expected: u64, seen: u64, because: &'static str },
    /// Older than what was trusted before.
    #[error(
        "{file}: {what} is {seen}, but version {trusted} was already seen\n  help: the server has an old copy of the repository, or somebody replays one; use a current copy"
    )]
    Rollback { file: String, what: String, trusted: u64, seen: u64 },
    /// A file that was listed before is listed no more.
    #[error(
        "{file}: {entry} is listed no more, but was at version {trusted}\n  help: publish a snapshot that lists it"
    )]
    Vanished { file: String, entry: String, trusted: u64 },
    /// Past its time.
    #[error("{file}: expired on {}; {now}", time::format(*expires))]
    Expired { file: String, expires: UnixTime, now: Now },
    /// Not as long as the file that lists it says.
    #[error(
        "{file}: {seen} bytes, but {by} says {expected}\n  help: the file is cut, or the repository is mixed from several states; fetch it again, or copy the repository as a whole"
    )]
    Length { file: String, by: String, expected: u64, seen: u64 },
    /// Not the bytes that the file that lists it says.
    #[error(
        "{file}: {algorithm} is {seen}, but {by} says {expected}\n  help: the file is damaged, or the repository is mixed from several states; fetch it again, or copy the repository as a whole"
    )]
    Hash { file: String, by: String, algorithm: &'static str, expected: String, seen: String },
    /// Allowed by TUF, but not here.
    #[error("{file}: {what}\n  help: {help}")]
    Unsupported { file: String, what: String, help: &'static str },
    /// A file that must be there is not.
    #[error(
        "{file}: not there\n  help: check the address of the repository; if it is right, copy the repository as a whole"
    )]
    Missing { file: String },
    /// No target of this name is listed.
    #[error(
        "{name}: no such file is signed in this repository\n  help: check its name, profile, board and channel"
    )]
    NoTarget { name: String },
    /// A signed file in the place of another.
    #[error(
        "{file}: {field} is {seen}, but the signed list says {expected}\n  help: the file belongs to another release; publish the release again"
    )]
    Swapped { file: String, field: &'static str, expected: String, seen: String },
    /// A call after the end.
    #[error("this run of the client is over\n  help: start a new one from the state it kept")]
    Over,
}

/// What is wrong with a file's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No JSON that is read here, with its place.
    Json(String),
    /// A member that is not what it should be.
    Field { path: String, expected: String, seen: String },
    /// Members that do not fit each other.
    Inconsistent(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Json(reason) => write!(f, "no valid JSON: {reason}"),
            Problem::Field { path, expected, seen } => write!(f, "{path}: expected {expected}, seen {seen}"),
            Problem::Inconsistent(reason) => f.write_str(reason),
        }
    }
}

/// The time by which expiry is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// What the device's clock said when the update began.
    pub clock: UnixTime,
    /// The latest time known from signed data.
    pub floor: UnixTime,
}

impl Now {
    /// The later of both. A clock of 1970 is no error: then the floor counts.
    pub fn time(&self) -> UnixTime {
        self.clock.max(self.floor)
    }

    /// Ten years beyond all that was ever signed: no expiry is so long, and the clock is more likely wrong.
    fn clock_is_strange(&self) -> bool {
        self.clock > self.floor.saturating_add(3653 * DAY)
    }
}

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (clock, floor) = (time::format(self.clock), time::format(self.floor));
        if self.clock <= self.floor {
            return write!(
                f,
                "the clock says {clock}, the latest signed time is {floor}, which counts\n  help: publish newer metadata, or copy the repository again"
            );
        }
        if self.clock_is_strange() && self.floor > 0 {
            return write!(
                f,
                "the clock says {clock}, the latest signed time is {floor}\n  help: the clock is probably wrong: set it, and try again; nothing was changed"
            );
        }
        write!(
            f,
            "the clock says {clock}, the latest signed time is {floor}\n  help: publish newer metadata, or copy the repository again; if the clock is wrong, set it"
        )
    }
}

fn more(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "; one more is by a key that is not of this role, or does not fit".to_owned(),
        _ => format!("; {count} more are by keys that are not of this role, or do not fit"),
    }
}

/// The kind of a refusal, to act or test upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    Malformed,
    TooLong,
    Signatures,
    Version,
    Rollback,
    Vanished,
    Expired,
    Length,
    Hash,
    Unsupported,
    Missing,
    NoTarget,
    Swapped,
    Over,
}

impl Error {
    pub fn kind(&self) -> Kind {
        match self {
            Error::Malformed { .. } => Kind::Malformed,
            Error::TooLong { .. } => Kind::TooLong,
            Error::Signatures { .. } => Kind::Signatures,
            Error::Version { .. } => Kind::Version,
            Error::Rollback { .. } => Kind::Rollback,
            Error::Vanished { .. } => Kind::Vanished,
            Error::Expired { .. } => Kind::Expired,
            Error::Length { .. } => Kind::Length,
            Error::Hash { .. } => Kind::Hash,
            Error::Unsupported { .. } => Kind::Unsupported,
            Error::Missing { .. } => Kind::Missing,
            Error::NoTarget { .. } => Kind::NoTarget,
            Error::Swapped { .. } => Kind::Swapped,
            Error::Over => Kind::Over,
        }
    }

    pub(crate) fn inconsistent(file: &str, reason: impl Into<String>) -> Error {
        Error::Malformed { file: file.to_owned(), problem: Problem::Inconsistent(reason.into()) }
    }
}
