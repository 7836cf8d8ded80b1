//! `release.json`: what a release is, and by which ways its bytes can be got.
//!
//! It is a target of the repository, so its digest is signed; everything else is named in it by digest. A blob is a file
//! `blobs/AB/ABCDEF…`, the name its SHA-256; nobody needs to sign it again.

mod choose;
mod chunks;
mod contract;
mod image;
mod parse;
mod ranges;
mod value;

pub use choose::{Choice, Have, Held, Plan, choose};
pub use chunks::{Chunk, ChunkIndex, INDEX, PackRange, chunk_index};
pub use contract::{Device, InstalledData, Older, Refusal, check};
pub use image::{Blob, ChunkSet, Delta, Image, ImageKind, Piece, Range};
pub use ranges::Ranges;

use semver::Version;

use crate::digest::Digest;
use crate::json::Limits;
use crate::time::UnixTime;

/// The format that this crate reads and writes.
pub const FORMAT: u64 = 1;

/// What the updater of this crate can do; a release may demand more.
pub const UPDATER: u64 = 1;

/// Bounds of release.json. Bytes: 4 MiB.
pub const LIMITS: Limits = Limits { bytes: 4 << 20, depth: 12, values: 200_000 };

/// Most bytes that a piece or chunk unpacks to, and so the largest window of zstd: 4 MiB.
pub const PIECE: u64 = 4 << 20;

/// Most bytes of an old image that a piece of a delta refers to: 16 MiB. With output (in the decoder's window, and again) and frame
/// that is 28 MiB.
pub const BASE: u64 = 16 << 20;

/// Most bytes of an image: 64 GiB.
pub const IMAGE: u64 = 64 << 30;

/// Most bytes of SBOM or notes: 16 MiB.
pub const DOCUMENT: u64 = 16 << 20;

/// Most pieces of one encoding.
pub const PIECES: usize = 16_384;

/// Most deltas of one image.
pub const DELTAS: usize = 32;

/// One release for one board, checked: all sizes fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub version: Version,
    pub profile: String,
    pub board: String,
    pub arch: String,
    /// Root hash of dm-verity over the root image.
    pub root_hash: Digest,
    /// When the image was built: the floor of time on a device that runs it.
    pub built: UnixTime,
    /// Lowest [`UPDATER`] that can install it.
    pub updater: u64,
    pub data: DataContract,
    pub sbom: Option<Blob>,
    pub notes: Option<Blob>,
    pub root: Image,
    pub verity: Image,
    pub uki: Image,
}

impl Release {
    pub fn images(&self) -> [(ImageKind, &Image); 3] {
        [(ImageKind::Root, &self.root), (ImageKind::Verity, &self.verity), (ImageKind::Uki, &self.uki)]
    }
}

/// What the release expects of the data in /var, and does to it. A number is 0 where the release has no such program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataContract {
    /// Major version of PostgreSQL.
    pub postgresql: u64,
    /// Older majors whose data this release converts when it starts.
    pub postgresql_converts: Vec<u64>,
    /// Schema of Kine's tables, counted up with every change of it.
    pub kine_schema: u64,
    /// Minor version of Kubernetes: 34 is 1.34.
    pub kubernetes_minor: u64,
    /// Lowest version of a release from which this one may be installed.
    pub from: Option<Version>,
}
