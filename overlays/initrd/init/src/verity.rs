//! The superblock of a dm-verity hash tree, and the table that the kernel wants. Pure.
//!
//! Format: cryptsetup's "DM-Verity on-disk specification"; table: the kernel's device-mapper/verity.rst.

use core::fmt;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::bytes::{array, u16_at, u32_at, u64_at};
use crate::cmdline::RootHash;

/// Bytes of a data or hash block; the only size that images have.
pub const BLOCK: u64 = 4096;
/// Bytes of the superblock; the tree begins at the next block.
pub const SUPERBLOCK: usize = 512;
/// A 4096-byte hash block holds this many SHA-256 digests.
const DIGESTS_PER_BLOCK: u64 = BLOCK / 32;
/// Linux counts device-mapper targets in sectors of 512 bytes, whatever the disk has.
const SECTOR: u64 = 512;

/// A checked superblock.
#[derive(Debug, PartialEq, Eq)]
pub struct Superblock {
    /// The tree's own UUID.
    pub uuid: [u8; 16],
    /// Blocks of data under the tree.
    pub data_blocks: u64,
    /// What is hashed before each block.
    pub salt: Vec<u8>,
}

/// Why a superblock is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum VerityError {
    NoSignature,
    Unsupported { field: &'static str, value: u32 },
    Algorithm(String),
    SaltTooLong(u16),
    NoData,
    DataTooShort { needed: u64, has: u64 },
    TreeTooShort { needed: u64, has: u64 },
}

impl fmt::Display for VerityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VerityError::NoSignature => f.write_str("no dm-verity superblock"),
            VerityError::Unsupported { field, value } => {
                write!(f, "dm-verity superblock has {field} {value}, which images never have")
            }
            VerityError::Algorithm(name) => write!(f, "dm-verity superblock names hash `{name}`, not sha256"),
            VerityError::SaltTooLong(size) => {
                write!(f, "dm-verity superblock has a salt of {size} bytes, more than 256")
            }
            VerityError::NoData => f.write_str("dm-verity superblock covers no data"),
            VerityError::DataTooShort { needed, has } => {
                write!(f, "dm-verity covers {needed} bytes of data, the root partition has {has}")
            }
            VerityError::TreeTooShort { needed, has } => {
                write!(f, "the dm-verity tree takes {needed} bytes, the verity partition has {has}")
            }
        }
    }
}

impl Superblock {
    /// Reads a superblock, given the sizes in bytes of the two partitions.
    pub fn parse(
        bytes: &[u8; SUPERBLOCK],
        data_size: u64,
        hash_size: u64,
    ) -> Result<Superblock, VerityError> {
        if !bytes.starts_with(b"verity\0\0") {
            return Err(VerityError::NoSignature);
        }
        for (at, field, expected) in [
            (8, "version", 1),
            (12, "hash type", 1),
            (64, "data block size", BLOCK as u32),
            (68, "hash block size", BLOCK as u32),
        ] {
            let value = u32_at(bytes, at);
            if value != expected {
                return Err(VerityError::Unsupported { field, value });
            }
        }
        let name = bytes[32..64].split(|byte| *byte == 0).next().unwrap_or_default();
        if name != b"sha256" {
            return Err(VerityError::Algorithm(name.escape_ascii().to_string()));
        }
        let salt_size = u16_at(bytes, 80);
        let salt = bytes[88..344].get(..salt_size.into()).ok_or(VerityError::SaltTooLong(salt_size))?;
        let superblock = Superblock {
            uuid: array(bytes, 16).unwrap_or_default(),
            data_blocks: u64_at(bytes, 72),
            salt: salt.to_vec(),
        };
        superblock.check_sizes(data_size, hash_size)?;
        Ok(superblock)
    }

    fn check_sizes(&self, data_size: u64, hash_size: u64) -> Result<(), VerityError> {
        if self.data_blocks == 0 {
            return Err(VerityError::NoData);
        }
        if self.data_blocks > data_size / BLOCK {
            return Err(VerityError::DataTooShort {
                needed: self.data_blocks.saturating_mul(BLOCK),
                has: data_size,
            });
        }
        // One block for the superblock, then the levels.
        let needed = 1 + tree_blocks(self.data_blocks);
        if needed > hash_size / BLOCK {
            return Err(VerityError::TreeTooShort { needed: needed * BLOCK, has: hash_size });
        }
        Ok(())
    }

    /// Length of the mapped device in sectors.
    pub fn sectors(&self) -> u64 {
        self.data_blocks * (BLOCK / SECTOR)
    }

    /// The parameters of the kernel's `verity` target; devices are MAJOR:MINOR.
    pub fn table(&self, data: &str, hash: &str, root: &RootHash, on_corruption: OnCorruption) -> String {
        let salt = if self.salt.is_empty() { "-".to_owned() } else { hex(&self.salt) };
        let option = match on_corruption {
            OnCorruption::FailRead => "",
            OnCorruption::Panic => " 1 panic_on_corruption",
        };
        format!("1 {data} {hash} {BLOCK} {BLOCK} {} 1 sha256 {root} {salt}{option}", self.data_blocks)
    }

    /// The name that libcryptsetup would give the mapped device, by which other programs know its kind.
    pub fn device_uuid(&self, name: &str) -> String {
        format!("CRYPT-VERITY-{}-{name}", hex(&self.uuid))
    }
}

/// What the kernel does about a block that does not match the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCorruption {
    /// The read fails: while init mounts, so that it can say why in one line.
    FailRead,
    /// Panic, which every console shows, then reboot: once the system runs, so that the boot counter falls.
    Panic,
}

/// Blocks of all levels of the tree.
fn tree_blocks(data_blocks: u64) -> u64 {
    let (mut level, mut total) = (data_blocks, 0);
    while level > 1 {
        level = level.div_ceil(DIGESTS_PER_BLOCK);
        total += level;
    }
    total
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "verity_tests.rs"]
mod tests;
