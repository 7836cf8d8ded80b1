//! dm-verity: the hash tree that the kernel checks every block against.
//!
//! Superblock: cryptsetup's wiki, "DMVerity", on-disk format. Tree: kernel documentation,
//! admin-guide/device-mapper/verity.rst. Hash type 1 puts the salt before the block.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use geminios_model::Digest;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::region::Region;

/// Bytes of a data block and of a hash block.
pub const BLOCK: u64 = 4096;
/// Digests in a hash block.
const FAN: u64 = BLOCK / 32;
/// Bytes of the superblock; the rest of its block is zero.
pub(crate) const SUPERBLOCK: usize = 512;

/// What stands in the superblock and in the kernel's table line, and the hash that vouches for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verity {
    /// The hash of the tree's top; on the kernel command line as `roothash=`.
    pub root_hash: Digest,
    /// Blocks of [`BLOCK`] bytes that are covered.
    pub data_blocks: u64,
    /// Comes before each block that is hashed.
    pub salt: [u8; 32],
}

impl Verity {
    /// Hashes all of `data` and writes superblock and tree to `out`. The bytes depend on data and salt only,
    /// not on how many threads there are.
    ///
    /// # Errors
    /// Reading, writing, or a length that is zero or no multiple of [`BLOCK`] (`InvalidInput`).
    pub fn write(data: &Region, salt: [u8; 32], out: &Path) -> io::Result<Verity> {
        if data.size() == 0 || !data.size().is_multiple_of(BLOCK) {
            let message = format!("{} bytes are no whole number of {BLOCK}-byte blocks", data.size());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let data_blocks = data.size() / BLOCK;
        let prefix = Sha256::new_with_prefix(salt);
        let mut levels = vec![hash_data(data, data_blocks, &prefix)?];
        while let Some(below) = levels.last().filter(|level| level.len() as u64 > BLOCK) {
            levels.push(hash_level(below, &prefix));
        }
        let top = levels.last().map_or(&[][..], Vec::as_slice);
        // A single data block has no tree: its own hash is the root hash.
        let root_hash = if data_blocks == 1 { first_digest(top) } else { hash(&prefix, top) };
        let verity = Verity { root_hash, data_blocks, salt };
        let mut file = BufWriter::new(File::create(out)?);
        file.write_all(&verity.superblock())?;
        file.write_all(&[0; BLOCK as usize - SUPERBLOCK])?;
        for level in levels.iter().rev().filter(|_| data_blocks > 1) {
            file.write_all(level)?;
        }
        file.into_inner()?.sync_all()?;
        Ok(verity)
    }

    /// Bytes of superblock and tree.
    pub fn size(&self) -> u64 {
        BLOCK * (1 + level_blocks(self.data_blocks).iter().sum::<u64>())
    }

    /// The UUID in the superblock. No tree covers the superblock, so the UUID is made of all else in it:
    /// a change anywhere in it is seen.
    pub fn uuid(&self) -> [u8; 16] {
        let parts: [&[u8]; 4] =
            [b"geminios verity uuid", self.root_hash.bytes(), &self.data_blocks.to_le_bytes(), &self.salt];
        uuid_from(&Digest::of_parts(parts))
    }

    pub(crate) fn superblock(&self) -> [u8; SUPERBLOCK] {
        let mut block = [0; SUPERBLOCK];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"verity\0\0");
        put(8, &1u32.to_le_bytes()); // version of the superblock
        put(12, &1u32.to_le_bytes()); // hash type
        put(16, &self.uuid());
        put(32, b"sha256");
        put(64, &(BLOCK as u32).to_le_bytes());
        put(68, &(BLOCK as u32).to_le_bytes());
        put(72, &self.data_blocks.to_le_bytes());
        put(80, &(self.salt.len() as u16).to_le_bytes());
        put(88, &self.salt);
        block
    }
}

/// A version 8 UUID (RFC 9562, section 5.8) of the digest's first bytes.
pub fn uuid_from(digest: &Digest) -> [u8; 16] {
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&digest.bytes()[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

/// A UUID as text.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Blocks of each level of the tree, the top first. None when a single block is covered.
pub(crate) fn level_blocks(data_blocks: u64) -> Vec<u64> {
    let mut levels = Vec::new();
    let mut blocks = data_blocks;
    while blocks > 1 {
        blocks = blocks.div_ceil(FAN);
        levels.insert(0, blocks);
    }
    levels
}

/// The lowest level: the digests of all data blocks, filled up with zeroes to whole blocks.
fn hash_data(data: &Region, data_blocks: u64, prefix: &Sha256) -> io::Result<Vec<u8>> {
    let mut level = vec![0; (data_blocks.div_ceil(FAN) * BLOCK) as usize];
    level.par_chunks_mut(BLOCK as usize).enumerate().try_for_each_init(
        || vec![0; (FAN * BLOCK) as usize],
        |buffer, (i, digests)| {
            let first = i as u64 * FAN;
            let bytes = &mut buffer[..((data_blocks - first).min(FAN) * BLOCK) as usize];
            data.read_at(bytes, first * BLOCK)?;
            hash_into(prefix, bytes, digests);
            io::Result::Ok(())
        },
    )?;
    Ok(level)
}

fn hash_level(below: &[u8], prefix: &Sha256) -> Vec<u8> {
    let blocks = below.len().div_ceil(BLOCK as usize);
    let mut level = vec![0; blocks.div_ceil(FAN as usize) * BLOCK as usize];
    hash_into(prefix, below, &mut level);
    level
}

fn hash_into(prefix: &Sha256, blocks: &[u8], digests: &mut [u8]) {
    for (block, digest) in blocks.chunks(BLOCK as usize).zip(digests.chunks_mut(32)) {
        digest.copy_from_slice(hash(prefix, block).bytes());
    }
}

/// Digest of a block after the salt that `prefix` has taken in.
pub(crate) fn hash(prefix: &Sha256, block: &[u8]) -> Digest {
    let mut hasher = prefix.clone();
    hasher.update(block);
    Digest::from(<[u8; 32]>::from(hasher.finalize()))
}

pub(crate) fn first_digest(level: &[u8]) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&level[..32]);
    Digest::from(bytes)
}

#[cfg(test)]
mod tests;
