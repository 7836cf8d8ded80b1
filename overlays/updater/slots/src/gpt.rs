//! The GUID partition table: reads both copies, makes new ones in which a slot has other PARTUUIDs (UEFI specification
//! 2.10, section 5.3). All other bytes stay as they are.

use std::fmt;

use crate::crc::crc32;
use crate::digest::RootHash;
use crate::state::Slot;
use crate::step::{Extent, Table};

/// Which copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At LBA 1.
    Primary,
    /// At the last LBA.
    Backup,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Side::Primary { "primary" } else { "backup" })
    }
}

/// Why a copy does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GptError {
    #[error("the disk is too small for one")]
    NoDisk,
    #[error("it cannot be read: {0}")]
    Read(String),
    #[error("it has no signature")]
    NoSignature,
    #[error("its {0} is impossible")]
    Field(&'static str),
    #[error("the checksum of its header is wrong")]
    HeaderChecksum,
    #[error("the checksum of its entries is wrong")]
    EntriesChecksum,
}

/// A valid copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpt {
    side: Side,
    block: u64,
    header: Vec<u8>,
    entries: Vec<u8>,
    entry_size: usize,
}

/// Reads bytes of the disk.
pub type ReadAt<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> Result<(), String>;

impl Gpt {
    /// Reads and checks one copy on a disk of `size` bytes in logical blocks of `block` bytes.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn read(disk: ReadAt<'_>, size: u64, block: u32, side: Side) -> Result<Gpt, GptError> {
        let block = u64::from(block);
        let last = (size / block.max(1)).checked_sub(1).filter(|last| *last > 66).ok_or(GptError::NoDisk)?;
        let lba = if side == Side::Primary { 1 } else { last };
        let mut header = vec![0; block as usize];
        disk(lba * block, &mut header).map_err(GptError::Read)?;
        if !header.starts_with(b"EFI PART") {
            return Err(GptError::NoSignature);
        }
        let length = number(&header, 12, 4) as usize;
        if !(92..=header.len()).contains(&length) {
            return Err(GptError::Field("header size"));
        }
        let mut summed = header[..length].to_vec();
        summed[16..20].fill(0);
        if u64::from(crc32(&summed)) != number(&header, 16, 4) {
            return Err(GptError::HeaderChecksum);
        }
        if number(&header, 24, 8) != lba {
            return Err(GptError::Field("own position"));
        }
        let (count, entry_size) = (number(&header, 80, 4), number(&header, 84, 4));
        if !(1..=1024).contains(&count)
            || !(128..=4096).contains(&entry_size)
            || !entry_size.is_power_of_two()
        {
            return Err(GptError::Field("number or size of entries"));
        }
        let (entries_lba, blocks) = (number(&header, 72, 8), (count * entry_size).div_ceil(block));
        let inside = entries_lba >= 2 && entries_lba.checked_add(blocks).is_some_and(|end| end <= last + 1);
        if !inside || (entries_lba..entries_lba + blocks).contains(&lba) {
            return Err(GptError::Field("position of the entries"));
        }
        let mut entries = vec![0; (count * entry_size) as usize];
        disk(entries_lba * block, &mut entries).map_err(GptError::Read)?;
        if u64::from(crc32(&entries)) != number(&header, 88, 4) {
            return Err(GptError::EntriesChecksum);
        }
        let gpt = Gpt { side, block, header, entries, entry_size: entry_size as usize };
        let usable = (number(&gpt.header, 40, 8), number(&gpt.header, 48, 8));
        for entry in gpt.used() {
            let (first, end) = (number(entry, 32, 8), number(entry, 40, 8));
            if first > end || first < usable.0 || end > usable.1 || end > last {
                return Err(GptError::Field("partition range"));
            }
        }
        Ok(gpt)
    }

    fn used(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.chunks_exact(self.entry_size).filter(|entry| entry[..16] != [0; 16])
    }

    fn entry(&self, label: &str) -> Option<usize> {
        let units: Vec<u8> = label.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        let named = |entry: &[u8]| entry[..16] != [0; 16] && entry[56..128].starts_with(&units);
        let mut places = self.entries.chunks_exact(self.entry_size).enumerate();
        let place = places.find(|(_, entry)| named(entry))?.0;
        // Two of one name: nobody can say which is meant.
        places.all(|(_, entry)| !named(entry)).then_some(place)
    }

    /// The partition of that label.
    pub fn extent(&self, label: &str) -> Option<Extent> {
        let entry = self.entry(label)? * self.entry_size;
        let (first, last) = (number(&self.entries, entry + 32, 8), number(&self.entries, entry + 40, 8));
        Some(Extent { start: first * self.block, size: (last - first + 1) * self.block })
    }

    fn uuid(&self, label: &str) -> Option<[u8; 16]> {
        let at = self.entry(label)? * self.entry_size + 16;
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&self.entries[at..at + 16]);
        Some(turned(uuid))
    }

    /// The root hash that a slot's two PARTUUIDs spell.
    pub fn root_hash(&self, slot: Slot) -> Option<RootHash> {
        Some(RootHash::of_uuids(self.uuid(slot.root_label())?, self.uuid(slot.verity_label())?))
    }

    /// Whether both copies say the same.
    pub fn agrees(&self, other: &Gpt) -> bool {
        self.entries == other.entries && self.header[56..72] == other.header[56..72]
    }

    /// Whether the header says that the other copy is at `lba`, its right place.
    pub fn other_is_at(&self, lba: u64) -> bool {
        number(&self.header, 32, 8) == lba
    }

    /// This copy with a slot found by another root hash; None if the slot has no partitions.
    pub fn with(&self, slot: Slot, hash: &RootHash) -> Option<Gpt> {
        let mut gpt = self.clone();
        for (label, uuid) in
            [(slot.root_label(), hash.root_uuid()), (slot.verity_label(), hash.verity_uuid())]
        {
            let at = gpt.entry(label)? * gpt.entry_size + 16;
            gpt.entries[at..at + 16].copy_from_slice(&turned(uuid));
        }
        gpt.sum();
        Some(gpt)
    }

    /// The copy for the other side, made of this one (section 5.3.2: the backup's entries end where its header begins).
    #[must_use]
    pub fn mirrored(&self) -> Gpt {
        let mut gpt = self.clone();
        let (here, there) = (number(&self.header, 24, 8), number(&self.header, 32, 8));
        let blocks = (self.entries.len() as u64).div_ceil(self.block);
        let entries = if self.side == Side::Primary { there - blocks } else { 2 };
        gpt.side = if self.side == Side::Primary { Side::Backup } else { Side::Primary };
        gpt.header[24..32].copy_from_slice(&there.to_le_bytes());
        gpt.header[32..40].copy_from_slice(&here.to_le_bytes());
        gpt.header[72..80].copy_from_slice(&entries.to_le_bytes());
        gpt.sum();
        gpt
    }

    fn sum(&mut self) {
        let length = number(&self.header, 12, 4) as usize;
        self.header[88..92].copy_from_slice(&crc32(&self.entries).to_le_bytes());
        self.header[16..20].fill(0);
        let sum = crc32(&self.header[..length]);
        self.header[16..20].copy_from_slice(&sum.to_le_bytes());
    }

    /// Its bytes and places, to be written.
    pub fn table(&self, about: String) -> Table {
        Table {
            side: self.side,
            header_at: number(&self.header, 24, 8) * self.block,
            header: self.header.clone(),
            entries_at: number(&self.header, 72, 8) * self.block,
            entries: self.entries.clone(),
            about,
        }
    }
}

/// Between the order of a GUID's text and that on disk: the first three fields are little-endian (appendix A).
fn turned(mut uuid: [u8; 16]) -> [u8; 16] {
    uuid[..4].reverse();
    uuid[4..6].reverse();
    uuid[6..8].reverse();
    uuid
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
}
