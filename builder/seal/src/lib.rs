//! Seals a tree: a read-only erofs and the dm-verity hash tree whose root hash vouches for every byte.
//!
//! The door is narrow: a tree goes in, two files and a hash come out ([`seal`]); [`verify`] reads them back.
//! `mkfs.erofs` stands behind it today.

mod archive;
mod erofs;
mod error;
mod region;
mod sealed;
mod verify;
mod verity;

pub use erofs::write_erofs;
pub use error::SealError;
pub use region::Region;
pub use sealed::{Sealed, seal};
pub use verify::{Corruption, verify};
pub use verity::{BLOCK, Verity, uuid_from, uuid_text};
