//! An image (root, its verity, UKI) and its encodings.

use crate::digest::Digest;

/// Which of a release's images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageKind {
    Root,
    Verity,
    Uki,
}

impl ImageKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ImageKind::Root => "root",
            ImageKind::Verity => "verity",
            ImageKind::Uki => "uki",
        }
    }
}

/// A file of the repository, named by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob {
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
}

impl Blob {
    pub fn of(bytes: &[u8]) -> Self {
        Blob { sha256: Digest::of(bytes), size: bytes.len() as u64 }
    }

    /// Where it lies in a repository.
    pub fn path(&self) -> String {
        let name = self.sha256.to_string();
        format!("blobs/{}/{name}", &name[..2])
    }
}

/// A stretch of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    pub offset: u64,
    pub length: u64,
}

impl Range {
    /// None if it is beyond u64.
    pub fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }
}

/// A part of an image: one zstd frame that unpacks to it, without a dictionary. Its window is at most [`super::PIECE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it goes in the image.
    pub output: Range,
    /// SHA-256 of the output.
    pub sha256: Digest,
    pub blob: Blob,
    /// In a delta: the stretch of the old image that is the frame's prefix.
    pub base: Option<Range>,
}

/// The image as a change of an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The older image. Of a root: its root hash, so that a device that reads it through dm-verity need not hash it anew. Of
    /// verity and UKI: the SHA-256 of the whole.
    pub from: Digest,
    /// Bytes of the older image.
    pub from_size: u64,
    pub pieces: Vec<Piece>,
}

/// The image as chunks cut by their content; their list is a blob of its own ([`super::ChunkIndex`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkSet {
    pub index: Blob,
}

/// What is written to a partition or the ESP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Bytes.
    pub size: u64,
    pub sha256: Digest,
    /// Always there: from nothing, without the old image.
    pub whole: Vec<Piece>,
    pub chunks: Option<ChunkSet>,
    pub deltas: Vec<Delta>,
}
