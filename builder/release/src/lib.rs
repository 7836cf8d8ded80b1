//! Sealed images -> a signed repository of updates, and one tar file of it for a stick.
//!
//! The format is that of `geminios-update-format`; its README has the layout of a repository and all bounds. This room makes the
//! bytes: [`Keys`] sign, [`encode`] packs images, [`Repository`] publishes, [`bundle`] makes the tar, [`verify`] looks at either as
//! a device would, and at more.
//!
//! Units: sizes are bytes, times are seconds since 1970. No room asks the clock: the caller says what time it is.
//!
//! # Encodings
//! - **whole**: pieces of 4 MiB of output, each a zstd frame of its own, packed in parallel.
//! - **delta** from an older release: the same pieces, each with a stretch of the old image of at most 16 MiB as zstd's prefix
//!   (`ZSTD_CCtx_refPrefix`, long distance matching). The stretch is the one that shares the most content with the piece, wherever
//!   that moved to. See [`encode::Stretch`] for what that costs against one window over the whole old image.
//! - **chunks**: cut by FastCDC (Xia and others, "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data
//!   Deduplication", USENIX ATC 2016; the 2020 variant of the crate `fastcdc`, normalization level 1, seed 0) with
//!   [`encode::CHUNK`] as sizes, in packs that end where a chunk's digest says so: an unchanged stretch makes the same pack again.
//!
//! The same images give the same bytes from any number of jobs.
//!
//! # Publishing
//! Blobs, then release.json, targets, snapshot and last timestamp.json: each to a temporary name, fsync, rename, fsync of the
//! folder. A reader sees the old release or the new one. Run again, it finishes what was cut. One publishes at a time.

mod build;
pub mod bundle;
pub mod encode;
mod error;
pub mod keys;
mod repository;
pub mod verify;

pub use build::{Build, Part};
pub use error::ReleaseError;
pub use geminios_update_format::release::{DataContract, UPDATER};
pub use geminios_update_format::{Digest, time};
pub use keys::Keys;
pub use repository::{
    Changes, Held, Hook, Lifetimes, Moment, Published, Refreshed, Repository, Request, Rotated, Row, Table,
};
