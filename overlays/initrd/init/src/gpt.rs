//! GUID partition tables, read from foreign bytes (UEFI specification 2.10, section 5.3). Pure.

use core::fmt;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::bytes::{array, u32_at, u64_at};
use crate::crc::crc32;

/// A GUID in the order of its text, not in the mixed order that a disk holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Guid([u8; 16]);

impl Guid {
    /// The bytes as the text shows them.
    pub fn from_text_order(bytes: [u8; 16]) -> Self {
        Guid(bytes)
    }

    /// The bytes as a partition table holds them: the first three fields little-endian (appendix A).
    pub fn from_disk_order(mut bytes: [u8; 16]) -> Self {
        bytes[..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        Guid(bytes)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&i) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A partition, in logical blocks of its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Number from 1, as in the kernel's names.
    pub number: u32,
    /// PARTUUID.
    pub uuid: Guid,
    /// First block.
    pub first: u64,
    /// How many blocks, at least one.
    pub blocks: u64,
    /// Label.
    pub label: String,
}

/// A valid table.
#[derive(Debug)]
pub struct Table {
    /// Used entries, in the order of their numbers.
    pub partitions: Vec<Partition>,
    /// Why the primary table was passed over, if it was.
    pub primary_damage: Option<GptError>,
}

impl Table {
    /// The partition with that PARTUUID.
    pub fn by_uuid(&self, uuid: Guid) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.uuid == uuid)
    }

    /// The partition with that label.
    pub fn by_label(&self, label: &str) -> Option<&Partition> {
        self.partitions.iter().find(|partition| partition.label == label)
    }
}

/// Why there is no table to be trusted.
#[derive(Debug)]
pub enum GptError {
    Read(String),
    NoDisk,
    NoSignature,
    BadField(&'static str),
    HeaderChecksum,
    EntriesChecksum,
}

impl fmt::Display for GptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GptError::Read(error) => write!(f, "cannot read its GPT: {error}"),
            GptError::NoDisk => f.write_str("too small for a GPT"),
            GptError::NoSignature => f.write_str("no GPT"),
            GptError::BadField(field) => write!(f, "damaged GPT: impossible {field}"),
            GptError::HeaderChecksum => f.write_str("damaged GPT: wrong header checksum"),
            GptError::EntriesChecksum => f.write_str("damaged GPT: wrong checksum of the entries"),
        }
    }
}

/// Fills a buffer from a byte position of a disk, or says why it cannot.
pub type ReadAt<'a> = &'a dyn Fn(u64, &mut [u8]) -> Result<(), String>;

/// Reads the primary table of a disk of `size` bytes in logical blocks of `block` bytes; if it is damaged, the backup.
pub fn read(disk: ReadAt<'_>, size: u64, block: u32) -> Result<Table, GptError> {
    if !matches!(block, 512 | 1024 | 2048 | 4096) {
        return Err(GptError::BadField("logical block size"));
    }
    let disk_blocks = size / u64::from(block);
    let last = disk_blocks.checked_sub(1).filter(|last| *last > 2).ok_or(GptError::NoDisk)?;
    match read_at(disk, 1, last, block) {
        Ok(partitions) => Ok(Table { partitions, primary_damage: None }),
        Err(primary) => match read_at(disk, last, last, block) {
            Ok(partitions) => Ok(Table { partitions, primary_damage: Some(primary) }),
            Err(_) => Err(primary),
        },
    }
}

fn read_at(disk: ReadAt<'_>, lba: u64, last: u64, block: u32) -> Result<Vec<Partition>, GptError> {
    let header = Header::parse(&read_bytes(disk, lba, block, block as usize)?, lba, last)?;
    let entries = read_bytes(disk, header.entries_lba, block, header.entry_count * header.entry_size)?;
    if crc32(&entries) != header.entries_crc {
        return Err(GptError::EntriesChecksum);
    }
    let used = entries.chunks_exact(header.entry_size).zip(1..).filter(|(entry, _)| entry[..16] != [0; 16]);
    used.map(|(entry, number)| header.partition(entry, number)).collect()
}

fn read_bytes(disk: ReadAt<'_>, lba: u64, block: u32, length: usize) -> Result<Vec<u8>, GptError> {
    let at = lba.checked_mul(block.into()).ok_or(GptError::BadField("position"))?;
    let mut bytes = vec![0; length];
    disk(at, &mut bytes).map_err(GptError::Read)?;
    Ok(bytes)
}

/// The fields of a header that are needed further on, each within bounds.
struct Header {
    first_usable: u64,
    last_usable: u64,
    entries_lba: u64,
    entry_count: usize,
    entry_size: usize,
    entries_crc: u32,
}

impl Header {
    fn parse(bytes: &[u8], lba: u64, last: u64) -> Result<Header, GptError> {
        if bytes.get(..8) != Some(b"EFI PART") {
            return Err(GptError::NoSignature);
        }
        let size = u32_at(bytes, 12) as usize;
        if size < 92 || size > bytes.len() {
            return Err(GptError::BadField("header size"));
        }
        let mut summed = bytes[..size].to_vec();
        summed[16..20].fill(0);
        if crc32(&summed) != u32_at(bytes, 16) {
            return Err(GptError::HeaderChecksum);
        }
        if u64_at(bytes, 24) != lba {
            return Err(GptError::BadField("own position"));
        }
        let header = Header {
            first_usable: u64_at(bytes, 40),
            last_usable: u64_at(bytes, 48),
            entries_lba: u64_at(bytes, 72),
            entry_count: u32_at(bytes, 80) as usize,
            entry_size: u32_at(bytes, 84) as usize,
            entries_crc: u32_at(bytes, 88),
        };
        if header.first_usable > header.last_usable || header.last_usable > last {
            return Err(GptError::BadField("usable range"));
        }
        if header.entries_lba < 2 || header.entries_lba > last {
            return Err(GptError::BadField("position of the entries"));
        }
        // The specification has 128 * 2^n; the bounds keep a hostile table from asking for memory.
        if !header.entry_size.is_power_of_two() || !(128..=4096).contains(&header.entry_size) {
            return Err(GptError::BadField("entry size"));
        }
        if !(1..=1024).contains(&header.entry_count) {
            return Err(GptError::BadField("number of entries"));
        }
        Ok(header)
    }

    fn partition(&self, entry: &[u8], number: u32) -> Result<Partition, GptError> {
        let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
        if first < self.first_usable || last > self.last_usable || first > last {
            return Err(GptError::BadField("partition range"));
        }
        let units: Vec<u16> =
            entry[56..128].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let units = units.split(|unit| *unit == 0).next().unwrap_or_default();
        Ok(Partition {
            number,
            uuid: Guid::from_disk_order(array(entry, 16).unwrap_or_default()),
            first,
            blocks: last - first + 1,
            label: String::from_utf16_lossy(units),
        })
    }
}

#[cfg(test)]
#[path = "gpt_tests.rs"]
mod tests;
