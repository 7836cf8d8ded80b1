//! An image -> zstd frames by three ways. Each frame goes to a [`Sink`] as soon as it is made, so memory is that of the jobs, not
//! of the image: a job holds a piece, its stretch of the old image and zstd's tables, about 150 MB.

mod anchors;
mod chunks;
mod decode;
mod frame;
mod pieces;

pub use anchors::{Anchors, Stretch};
pub use chunks::{CHUNK, Cut, Sizes, chunks, cuts};
pub use decode::{decode_pieces, digest_of};
pub use frame::{pack, unpack};
pub use pieces::{delta, whole};

use geminios_update_format::release::Blob;

use crate::error::ReleaseError;

/// Takes a blob and says what it is called. Called from several threads, in any order; the same blob may come twice.
pub type Sink<'a> = dyn Fn(&[u8]) -> Result<Blob, ReleaseError> + Sync + 'a;

/// zstd levels. Higher ones take more time, here only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    pub whole: i32,
    pub delta: i32,
    pub chunks: i32,
}

impl Levels {
    /// One for all ways.
    pub fn all(level: i32) -> Self {
        Levels { whole: level, delta: level, chunks: level }
    }
}
