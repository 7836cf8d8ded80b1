//! Reads a root and its hash tree as the kernel would, but all of it and at once.

use std::io;

use geminios_model::Digest;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::region::Region;
use crate::verity::{BLOCK, SUPERBLOCK, Verity, first_digest, hash, level_blocks};

/// What does not match the root hash. Blocks are 4096 bytes, counted from the start of root or hash tree.
#[derive(Debug, thiserror::Error)]
pub enum Corruption {
    #[error("hash tree: the superblock is damaged: {0}")]
    Superblock(&'static str),
    #[error(
        "hash tree: its top, block 1, does not match root hash {expected} (it has {found})\n  help: this is another image, or a damaged one; write it again"
    )]
    RootHash { expected: Digest, found: Digest },
    #[error(
        "hash tree: block {block} (level {level} from the top) does not match the level above it\n  help: write the image again"
    )]
    Tree { level: usize, block: u64 },
    #[error("root: block {block} (byte {}) does not match its hash\n  help: write the image again", block * BLOCK)]
    Root { block: u64 },
    #[error("{part}: cut short: {needed} bytes are needed, it has {size}")]
    Short { part: &'static str, needed: u64, size: u64 },
    #[error("{part} cannot be read")]
    Read {
        part: &'static str,
        #[source]
        error: io::Error,
    },
}

/// Checks every byte of a root against its hash tree, and the tree against the root hash.
/// Both regions may be longer than what they hold, as partitions are.
///
/// # Errors
/// The first block that does not match, from the top of the tree down and then in the order of the disk.
pub fn verify(root: &Region, tree: &Region, root_hash: &Digest) -> Result<Verity, Corruption> {
    let verity = read_superblock(tree, root_hash)?;
    let needed = [("hash tree", tree, verity.size()), ("root", root, verity.data_blocks * BLOCK)];
    for (part, region, needed) in needed {
        if region.size() < needed {
            return Err(Corruption::Short { part, needed, size: region.size() });
        }
    }
    let prefix = Sha256::new_with_prefix(verity.salt);
    let mut above = root_hash.bytes().to_vec();
    let mut first = 1;
    for (depth, blocks) in level_blocks(verity.data_blocks).into_iter().enumerate() {
        let mut level = vec![0; (blocks * BLOCK) as usize];
        read(tree, "hash tree", &mut level, first * BLOCK)?;
        let bad = level
            .chunks(BLOCK as usize)
            .zip(above.chunks(32))
            .position(|(b, d)| hash(&prefix, b).bytes() != d);
        match bad {
            Some(_) if depth == 0 => {
                return Err(Corruption::RootHash { expected: *root_hash, found: hash(&prefix, &level) });
            }
            Some(i) => return Err(Corruption::Tree { level: depth + 1, block: first + i as u64 }),
            None => {}
        }
        (above, first) = (level, first + blocks);
    }
    verify_data(root, &verity, &prefix, &above)?;
    Ok(verity)
}

/// Reads the superblock and checks each of its bytes.
fn read_superblock(tree: &Region, root_hash: &Digest) -> Result<Verity, Corruption> {
    let size = tree.size();
    if size < BLOCK {
        return Err(Corruption::Short { part: "hash tree", needed: BLOCK, size });
    }
    let mut block = vec![0; BLOCK as usize];
    read(tree, "hash tree", &mut block, 0)?;
    if &block[..8] != b"verity\0\0" {
        return Err(Corruption::Superblock("it does not begin with `verity`"));
    }
    let mut data_blocks = [0; 8];
    data_blocks.copy_from_slice(&block[72..80]);
    let data_blocks = u64::from_le_bytes(data_blocks);
    // The lowest level alone has a block for each 128 data blocks: a count beyond that is no honest one.
    if data_blocks == 0 || data_blocks.div_ceil(128) > size / BLOCK {
        return Err(Corruption::Superblock("its number of data blocks does not fit the hash tree"));
    }
    let verity = Verity { root_hash: *root_hash, data_blocks, salt: *first_digest(&block[88..]).bytes() };
    if block[..SUPERBLOCK] != verity.superblock() {
        return Err(Corruption::Superblock("it was not made for this root hash"));
    }
    if block[SUPERBLOCK..].iter().any(|byte| *byte != 0) {
        return Err(Corruption::Superblock("the rest of its block is not zero"));
    }
    Ok(verity)
}

fn verify_data(root: &Region, verity: &Verity, prefix: &Sha256, digests: &[u8]) -> Result<(), Corruption> {
    let bad = digests.par_chunks(BLOCK as usize).enumerate().find_map_first(|(i, digests)| {
        let first = i as u64 * BLOCK / 32;
        let blocks = verity.data_blocks.saturating_sub(first).min(BLOCK / 32);
        let mut bytes = vec![0; (blocks * BLOCK) as usize];
        if let Err(error) = read(root, "root", &mut bytes, first * BLOCK) {
            return Some(error);
        }
        let bad = bytes
            .chunks(BLOCK as usize)
            .zip(digests.chunks(32))
            .position(|(b, d)| hash(prefix, b).bytes() != d);
        bad.map(|i| Corruption::Root { block: first + i as u64 })
    });
    bad.map_or(Ok(()), Err)
}

fn read(region: &Region, part: &'static str, buffer: &mut [u8], at: u64) -> Result<(), Corruption> {
    region.read_at(buffer, at).map_err(|error| Corruption::Read { part, error })
}
