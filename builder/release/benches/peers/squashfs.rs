//! As much of squashfs 4.0 (Linux, fs/squashfs/squashfs_fs.h) as says how long each packed block of a file is.

use std::path::Path;

pub struct Squashfs {
    /// Bytes.
    pub block_size: usize,
    files: Vec<(u64, Vec<u64>)>,
}

/// Type of compression in the superblock.
const ZSTD: u16 = 6;
const SUPERBLOCK: usize = 96;
/// A length with this bit is of a block that is not packed.
const AS_IT_IS: u32 = 1 << 24;
const NO_FRAGMENT: u32 = u32::MAX;

impl Squashfs {
    pub fn open(path: &Path) -> Squashfs {
        let bytes = std::fs::read(path).unwrap();
        assert!(bytes.starts_with(b"hsqs"), "{}: no squashfs", path.display());
        assert_eq!(u16::from_le_bytes([bytes[20], bytes[21]]), ZSTD);
        let block_size = u32_at(&bytes, 12) as usize;
        let (inodes, directories) = (u64_at(&bytes, 64) as usize, u64_at(&bytes, 72) as usize);
        assert!(SUPERBLOCK <= inodes && inodes < directories);
        let table = unpacked(&bytes[inodes..directories]);
        Squashfs { block_size, files: files(&table, u32_at(&bytes, 4), block_size as u64) }
    }

    /// Packed lengths of the blocks of the file that has so many bytes. A tail that was packed with others counts as nothing.
    pub fn file(&self, size: u64) -> Vec<u64> {
        let found = self.files.iter().find(|(own, _)| *own == size);
        let mut blocks = found.unwrap_or_else(|| panic!("no file of {size} bytes")).1.clone();
        blocks.resize(size.div_ceil(self.block_size as u64) as usize, 0);
        blocks
    }
}

/// A table of metadata blocks: two bytes of length, then up to 8 KiB packed.
fn unpacked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while bytes.len() > 2 {
        let head = u16::from_le_bytes([bytes[0], bytes[1]]);
        let length = usize::from(head & 0x7fff);
        let block = &bytes[2..2 + length];
        if head & 0x8000 == 0 {
            out.extend(::zstd::bulk::decompress(block, 8192).unwrap());
        } else {
            out.extend(block);
        }
        bytes = &bytes[2 + length..];
    }
    out
}

/// Sizes and packed blocks of all plain files.
fn files(table: &[u8], count: u32, block_size: u64) -> Vec<(u64, Vec<u64>)> {
    let (mut files, mut at) = (Vec::new(), 0);
    for _ in 0..count {
        let body = at + 16;
        let (size, fragment, list) = match u16::from_le_bytes([table[at], table[at + 1]]) {
            1 => {
                at = body + 16;
                continue;
            }
            8 => {
                let entries = u16::from_le_bytes([table[body + 16], table[body + 17]]);
                at = body + 24;
                for _ in 0..entries {
                    at += 12 + u32_at(table, at + 8) as usize + 1;
                }
                continue;
            }
            2 => (u64::from(u32_at(table, body + 12)), u32_at(table, body + 4), body + 16),
            9 => (u64_at(table, body + 8), u32_at(table, body + 28), body + 40),
            other => panic!("an inode of type {other} in a bundle"),
        };
        let blocks =
            if fragment == NO_FRAGMENT { size.div_ceil(block_size) } else { size / block_size } as usize;
        let length = |number: usize| u64::from(u32_at(table, list + 4 * number) & !AS_IT_IS);
        files.push((size, (0..blocks).map(length).collect()));
        at = list + 4 * blocks;
    }
    files
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}
