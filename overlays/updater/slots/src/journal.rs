//! The updater's own file on /var. It tells history and saves work; no boot and no step's safety depends on it.
//!
//! One line `geminios-slots 1 SHA256`, then JSON whose sum that is: a torn file is noticed.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::device::JournalFile;
use crate::digest::{RootHash, Sha256Sum};
use crate::plan::Release;
use crate::state::Slot;
use crate::step::{Done, Image};

const MAGIC: &str = "geminios-slots";
const FORMAT: &str = "1";
/// Bytes of the largest journal that is read or written.
pub const LARGEST: usize = 256 << 10;
/// Events that are kept.
const HISTORY: usize = 100;
/// Versions that are kept as failed, and characters of a reason.
const FAILED: usize = 100;
const REASON: usize = 500;

/// All that it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// Number of the last event.
    pub sequence: u64,
    /// The name by which this firmware's counter was seen to move.
    pub counter_moved: Option<String>,
    /// An installation under way.
    pub work: Option<Work>,
    /// The system that was armed last and has been neither blessed nor given up.
    pub armed: Option<Armed>,
    /// Versions that failed, and why.
    pub failed: BTreeMap<String, Failure>,
    pub history: Vec<Told>,
}

/// An installation under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    pub slot: Slot,
    pub release: Release,
    pub root: Option<Done>,
    pub verity: Option<Done>,
    /// All was read back and was right.
    pub verified: bool,
}

/// A system that waits to be tried, or is being tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Armed {
    pub slot: Slot,
    pub version: String,
    pub root_hash: RootHash,
}

/// Why a version is not tried again by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub reason: String,
    /// The system, if it was known.
    pub root_hash: Option<RootHash>,
}

/// An event of the past, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    pub sequence: u64,
    /// As the device's clock said: seconds since 1970. Nothing depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
    pub event: String,
}

/// What changes a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The old journal could not be used.
    Lost(String),
    /// The boot loader's counter stands in this name.
    CounterMoved(String),
    Begun {
        slot: Slot,
        release: Box<Release>,
    },
    Progress {
        image: Image,
        done: Done,
    },
    /// What was written of these images is not the release.
    Discarded(String),
    Verified,
    Armed {
        slot: Slot,
        version: String,
        root_hash: RootHash,
    },
    Blessed {
        slot: Slot,
        version: String,
    },
    Failed {
        version: String,
        root_hash: Option<RootHash>,
        reason: String,
    },
    /// The running system steps back behind the other.
    RolledBack {
        from: String,
        to: String,
    },
    /// The running system gets tries again, to see whether the counter moves.
    Probed(String),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Lost(reason) => write!(f, "new journal: {reason}"),
            Event::CounterMoved(file) => write!(f, "the firmware's boot counter moved: {file}"),
            Event::Begun { slot, release } => write!(f, "began to write {} to slot {slot}", release.version),
            Event::Progress { image, done } => write!(f, "{image}: {} bytes are on the disk", done.bytes),
            Event::Discarded(why) => write!(f, "what was written is discarded: {why}"),
            Event::Verified => f.write_str("root and verity are on the disk and were read back"),
            Event::Armed { slot, version, .. } => write!(f, "armed {version} in slot {slot}"),
            Event::Blessed { slot, version } => write!(f, "blessed {version} in slot {slot}"),
            Event::Failed { version, reason, .. } => write!(f, "{version} failed: {reason}"),
            Event::RolledBack { from, to } => write!(f, "rolled back from {from} to {to}"),
            Event::Probed(version) => write!(f, "gave {version} tries to see the boot counter move"),
        }
    }
}

/// Why a file is no journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    #[error("it is not there")]
    Missing,
    #[error("it has {0} bytes, more than any journal")]
    TooLong(usize),
    #[error("it does not begin as a journal does")]
    NoJournal,
    #[error("it has format {0}, of a newer updater")]
    Newer(String),
    #[error("its sum does not match: it is torn or damaged")]
    Sum,
    #[error("it is not of its format: {0}")]
    Content(String),
}

impl Journal {
    /// # Errors
    /// The bytes are no whole journal of this format.
    pub fn parse(bytes: &[u8]) -> Result<Journal, JournalError> {
        if bytes.len() > LARGEST {
            return Err(JournalError::TooLong(bytes.len()));
        }
        let end = bytes.iter().position(|b| *b == b'\n').ok_or(JournalError::NoJournal)?;
        let (head, body) = (&bytes[..end], &bytes[end + 1..]);
        let head = std::str::from_utf8(head).map_err(|_| JournalError::NoJournal)?;
        let words: Vec<&str> = head.split(' ').collect();
        let [MAGIC, format, sum] = words[..] else { return Err(JournalError::NoJournal) };
        if format != FORMAT {
            return Err(JournalError::Newer(format.chars().take(20).collect()));
        }
        if sum != Sha256Sum::of(body).to_string() {
            return Err(JournalError::Sum);
        }
        serde_json::from_slice(body).map_err(|error| JournalError::Content(error.to_string()))
    }

    /// # Errors
    /// None that a journal's values could cause.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let mut body = serde_json::to_vec_pretty(self)?;
        body.push(b'\n');
        let mut bytes = format!("{MAGIC} {FORMAT} {}\n", Sha256Sum::of(&body)).into_bytes();
        bytes.extend(body);
        Ok(bytes)
    }

    /// The journal after an event at some time.
    #[must_use]
    pub fn after(&self, event: &Event, time: Option<u64>) -> Journal {
        let mut journal = if matches!(event, Event::Lost(_)) { Journal::default() } else { self.clone() };
        match event {
            Event::Lost(_) => {}
            Event::CounterMoved(file) => journal.counter_moved = Some(file.clone()),
            Event::Begun { slot, release } => {
                let release = (**release).clone();
                journal.armed = None;
                journal.work = Some(Work { slot: *slot, release, root: None, verity: None, verified: false });
            }
            Event::Progress { image, done } => {
                if let Some(work) = &mut journal.work {
                    match image {
                        Image::Root => work.root = Some(*done),
                        Image::Verity => work.verity = Some(*done),
                        Image::Uki => {}
                    }
                }
            }
            Event::Discarded(_) => {
                journal
                    .work
                    .iter_mut()
                    .for_each(|work| (work.root, work.verity, work.verified) = (None, None, false));
            }
            Event::Verified => journal.work.iter_mut().for_each(|work| work.verified = true),
            Event::Armed { slot, version, root_hash } => {
                journal.work = None;
                journal.armed = Some(Armed { slot: *slot, version: version.clone(), root_hash: *root_hash });
            }
            Event::Blessed { version, .. } => {
                journal.armed = None;
                journal.failed.remove(version);
            }
            Event::Failed { version, root_hash, reason } => {
                journal.armed = None;
                if journal.failed.len() >= FAILED && !journal.failed.contains_key(version) {
                    journal.failed.pop_first();
                }
                let reason = reason.chars().take(REASON).collect();
                journal.failed.insert(version.clone(), Failure { reason, root_hash: *root_hash });
            }
            // Without proof anew, a probe would prove nothing.
            Event::Probed(_) => journal.counter_moved = None,
            Event::RolledBack { .. } => {}
        }
        if !matches!(event, Event::Progress { .. }) {
            journal.sequence += 1;
            let event = event.to_string().chars().take(2 * REASON).collect();
            journal.history.push(Told { sequence: journal.sequence, time, event });
            let surplus = journal.history.len().saturating_sub(HISTORY);
            journal.history.drain(..surplus);
        }
        journal
    }
}

/// Reads it.
///
/// # Errors
/// Those of the file; the inner result says why there is no journal in it.
pub fn load(file: &mut dyn JournalFile) -> io::Result<Result<Journal, JournalError>> {
    Ok(file.read()?.map_or(Err(JournalError::Missing), |bytes| Journal::parse(&bytes)))
}

/// Puts it in the place of the old one: after a cut, one of both is there.
///
/// # Errors
/// Those of the file.
pub fn store(journal: &Journal, file: &mut dyn JournalFile) -> io::Result<()> {
    file.write_temporary(&journal.encode()?)?;
    file.sync_temporary()?;
    file.rename()?;
    file.sync_folder()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Journal {
        let failed = Event::Failed {
            version: "2".into(),
            root_hash: Some(RootHash([7; 32])),
            reason: "its tries ran out".into(),
        };
        let moved = Event::CounterMoved("geminios_1+2-1.efi".into());
        Journal::default().after(&moved, None).after(&failed, Some(1_795_780_800))
    }

    #[test]
    fn comes_back_as_it_was_stored() {
        let journal = sample();
        assert_eq!(Journal::parse(&journal.encode().unwrap()), Ok(journal));
    }

    #[test]
    fn each_cut_and_each_flipped_bit_is_noticed() {
        let bytes = sample().encode().unwrap();
        for length in 0..bytes.len() {
            assert!(Journal::parse(&bytes[..length]).is_err(), "cut at {length}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Journal::parse(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_and_unknown_members_are_refused() {
        let newer = format!("geminios-slots 2 {}\n", "0".repeat(64));
        assert_eq!(Journal::parse(newer.as_bytes()), Err(JournalError::Newer("2".into())));
        let body = "{\"sequence\":0,\"counter_moved\":null,\"work\":null,\"armed\":null,\"failed\":{},\"history\":[],\"more\":1}";
        let text = format!("geminios-slots 1 {}\n{body}", Sha256Sum::of(body.as_bytes()));
        assert!(matches!(Journal::parse(text.as_bytes()), Err(JournalError::Content(_))));
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut journal = Journal::default();
        for n in 0..300_u64 {
            let (version, reason) = (format!("{n}"), "x".repeat(5000));
            journal = journal.after(&Event::Failed { version, root_hash: None, reason }, Some(n));
        }
        assert!(journal.encode().unwrap().len() < LARGEST);
        assert_eq!((journal.history.len(), journal.failed.len()), (HISTORY, FAILED));
    }
}
