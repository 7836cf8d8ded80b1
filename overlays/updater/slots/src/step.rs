//! Steps: what a plan is made of and the executor does.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{RootHash, Sha256Sum};
use crate::gpt::Side;
use crate::journal::Event;

/// Bytes by their length and sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Bytes.
    pub size: u64,
    pub sha256: Sha256Sum,
}

/// Part of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Image {
    Root,
    Verity,
    Uki,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Image::Root => "root",
            Image::Verity => "verity",
            Image::Uki => "uki",
        })
    }
}

/// A partition on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// What the journal claims of an image that was being written. It is checked before anybody builds on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Bytes from the beginning that were flushed.
    pub bytes: u64,
    /// Their sum.
    pub sha256: Sha256Sum,
}

/// One thing to do. Running it twice does no more than once, except for [`Step::CreateUki`] and [`Step::CopyUki`], which
/// want their name unused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into the journal, durably.
    Record(Event),
    /// Streams an image into a partition, from where the claim ends if it is true.
    WriteImage { image: Image, to: Extent, blob: Blob, claim: Option<Done> },
    /// What was written to the disk reaches its medium.
    FlushDisk,
    /// Reads root and verity past the page cache: their sums, every hash of the tree, and the root hash.
    VerifySlot { root: Extent, root_blob: Blob, verity: Extent, verity_blob: Blob, root_hash: RootHash },
    /// Writes one copy of the partition table.
    WriteTable(Box<Table>),
    /// Reads one copy of the partition table past the page cache.
    CheckTable(Box<Table>),
    /// A new file with the release's kernel in it, except that its first two bytes are zero: nothing starts it.
    CreateUki { name: String, blob: Blob },
    /// A new file with the bytes of another, again without the first two.
    CopyUki { from: String, name: String },
    /// fsync of a file of the ESP.
    SyncFile(String),
    /// fsync of the folder.
    SyncFolder,
    /// Reads a kernel without its first two bytes past the page cache: its sum, its root hash, and that the boot loader
    /// will sort it as `version` of `sort_key`.
    CheckUki { name: String, blob: Blob, root_hash: RootHash, version: String, sort_key: String },
    /// Reads both files past the page cache: equal but for the first two bytes.
    CheckCopy { from: String, name: String },
    /// The first two bytes, "MZ": from now on it is a program.
    ShowUki(String),
    /// Zeroes the first two bytes.
    HideUki(String),
    /// Removes a file that is no program any more.
    RemoveUki(String),
    /// Overwrites a copy of what another boot loader reads.
    WriteBootBytes { copy: usize, bytes: Vec<u8> },
    /// These bytes reach the medium.
    FlushBootBytes,
}

/// The bytes of one copy of the partition table, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub side: Side,
    /// Bytes from the disk's beginning.
    pub header_at: u64,
    pub header: Vec<u8>,
    pub entries_at: u64,
    pub entries: Vec<u8>,
    /// For people: what it says of the slots.
    pub about: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Record(event) => write!(f, "journal: {event}"),
            Step::WriteImage { image, to, blob, claim } => {
                write!(f, "write {image}, {} bytes, at {}", blob.size, to.start)?;
                claim.map_or(Ok(()), |done| write!(f, ", {} of them there already", done.bytes))
            }
            Step::FlushDisk => f.write_str("flush the disk"),
            Step::VerifySlot { root_hash, .. } => write!(f, "verify root and verity against {root_hash}"),
            Step::WriteTable(table) => write!(f, "write the {} partition table: {}", table.side, table.about),
            Step::CheckTable(table) => write!(f, "check the {} partition table", table.side),
            Step::CreateUki { name, blob } => write!(f, "write hidden {name}, {} bytes", blob.size),
            Step::CopyUki { from, name } => write!(f, "copy {from} to hidden {name}"),
            Step::SyncFile(name) => write!(f, "sync {name}"),
            Step::SyncFolder => f.write_str("sync the folder"),
            Step::CheckUki { name, .. } => write!(f, "check hidden {name}"),
            Step::CheckCopy { from, name } => write!(f, "check hidden {name} against {from}"),
            Step::ShowUki(name) => write!(f, "show {name}"),
            Step::HideUki(name) => write!(f, "hide {name}"),
            Step::RemoveUki(name) => write!(f, "remove {name}"),
            Step::WriteBootBytes { copy, bytes } => {
                write!(f, "write {} boot bytes, copy {copy}", bytes.len())
            }
            Step::FlushBootBytes => f.write_str("flush the boot bytes"),
        }
    }
}
