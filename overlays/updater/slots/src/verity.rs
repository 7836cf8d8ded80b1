//! Checks a whole dm-verity tree (superblock: cryptsetup's wiki, "DMVerity"; tree: kernel documentation,
//! admin-guide/device-mapper/verity.rst). Hash type 1: the salt stands before the block.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::digest::{RootHash, Sha256Sum};
use crate::step::Blob;

/// Bytes of a data block and of a hash block.
pub(crate) const BLOCK: u64 = 4096;
/// Bytes read at once, a multiple of [`BLOCK`].
const PIECE: usize = 256 << 10;

/// Fills the buffer with the bytes at a place.
type ReadAt<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>;

/// Reads root and verity wholly. Holds the digests of the data blocks, 0.8 % of the root, in memory.
///
/// # Errors
/// Those of reading; the inner one says what does not match.
pub(crate) fn verify(
    root: (ReadAt<'_>, Blob),
    verity: (ReadAt<'_>, Blob),
    root_hash: &RootHash,
) -> io::Result<Result<(), String>> {
    let ((read_root, root), (read_verity, verity)) = (root, verity);
    let mut first = vec![0; BLOCK as usize];
    read_verity(0, &mut first)?;
    let salt = match superblock(&first, root.size) {
        Ok(salt) => salt,
        Err(why) => return Ok(Err(format!("verity: {why}"))),
    };
    let prefix = Sha256::new_with_prefix(salt);
    let mut digests = Vec::with_capacity((root.size / BLOCK * 32) as usize);
    let (sum, _) = each_piece(read_root, root.size, &mut |piece| {
        piece.chunks(BLOCK as usize).for_each(|block| digests.extend(hash(&prefix, block)));
        true
    })?;
    if sum != root.sha256 {
        return Ok(Err(format!("root: SHA-256 is {sum}, it should be {}", root.sha256)));
    }
    let levels = levels(digests, &prefix);
    let top = levels.first().map_or(&[][..], Vec::as_slice);
    // A single data block has no tree: its own hash is the root hash.
    let seen = if root.size == BLOCK { top[..32].to_vec() } else { hash(&prefix, top) };
    if seen != root_hash.0 {
        return Ok(Err(format!("root: its hash tree does not end in root hash {root_hash}")));
    }
    let tree = if root.size == BLOCK { Vec::new() } else { levels };
    let mut expected = first.iter().chain(tree.iter().flatten());
    let (sum, same) = each_piece(read_verity, verity.size, &mut |piece| {
        piece.iter().all(|byte| expected.next() == Some(byte))
    })?;
    match (same && expected.next().is_none(), sum == verity.sha256) {
        (true, true) => Ok(Ok(())),
        (false, _) => Ok(Err("verity: it is not the hash tree of the root".to_owned())),
        (_, false) => Ok(Err(format!("verity: SHA-256 is {sum}, it should be {}", verity.sha256))),
    }
}

fn superblock(block: &[u8], root: u64) -> Result<&[u8], &'static str> {
    let number =
        |at: usize, width: usize| block[at..at + width].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    if !block.starts_with(b"verity\0\0") || number(8, 4) != 1 || number(12, 4) != 1 {
        return Err("no superblock of version 1 and hash type 1");
    }
    if !block[32..64].starts_with(b"sha256\0") || number(64, 4) != BLOCK || number(68, 4) != BLOCK {
        return Err("its superblock is not of sha256 with blocks of 4096 bytes");
    }
    if number(72, 8) != root / BLOCK {
        return Err("its superblock covers another length than the root's");
    }
    block[88..344].get(..number(80, 2) as usize).ok_or("its salt is too long")
}

/// All levels, the top first, each filled up with zeroes to whole blocks.
fn levels(data: Vec<u8>, prefix: &Sha256) -> Vec<Vec<u8>> {
    let mut levels = vec![padded(data)];
    while levels[0].len() as u64 > BLOCK {
        let above = levels[0].chunks(BLOCK as usize).flat_map(|block| hash(prefix, block)).collect();
        levels.insert(0, padded(above));
    }
    levels
}

fn padded(mut level: Vec<u8>) -> Vec<u8> {
    level.resize(level.len().next_multiple_of(BLOCK as usize), 0);
    level
}

fn hash(prefix: &Sha256, block: &[u8]) -> Vec<u8> {
    let mut hasher = prefix.clone();
    hasher.update(block);
    hasher.finalize().to_vec()
}

/// Reads a range and hands it out in pieces; gives its sum, and whether `take` was content with each piece.
fn each_piece(
    read: ReadAt<'_>,
    size: u64,
    take: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<(Sha256Sum, bool)> {
    let mut hasher = Sha256::new();
    let mut content = true;
    let mut buffer = vec![0; PIECE.min(size as usize)];
    let mut at = 0;
    while at < size {
        let piece = &mut buffer[..(size - at).min(PIECE as u64) as usize];
        read(at, piece)?;
        hasher.update(&*piece);
        content &= take(piece);
        at += piece.len() as u64;
    }
    Ok((Sha256Sum(hasher.finalize().into()), content))
}

#[cfg(test)]
#[path = "verity_tests.rs"]
mod tests;
