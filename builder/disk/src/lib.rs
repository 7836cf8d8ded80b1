//! Partitions -> a GPT disk image with a block map and a copy for download; and back: what is on an image.
//!
//! [`Plan`] says what goes where, as data; [`write`] does it and chooses nothing; [`Layout::read`] looks at the result.

mod bmap;
mod error;
mod gpt;
mod guid;
mod image;
mod layout;
mod plan;
#[cfg(test)]
mod sample;

pub use bmap::Range;
pub use error::DiskError;
pub use gpt::{Partition, Table};
pub use guid::Guid;
pub use image::{Output, Outputs, write, write_sums};
pub use layout::{Kernel, Layout};
pub use plan::Plan;
