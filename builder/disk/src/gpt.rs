//! GUID partition tables (UEFI specification 2.10, chapter 5), to bytes and back. By hand because an image to inspect may
//! be hostile, and the crates for it stop the program on a header they do not expect.

use flate2::Crc;

use crate::guid::Guid;

/// Bytes of a sector.
pub(crate) const SECTOR: u64 = 512;
const ENTRIES: usize = 128;
const ENTRY: usize = 128;
const HEADER: usize = 92;
/// Sectors of a header and its table.
const TABLE: u64 = 1 + (ENTRIES * ENTRY) as u64 / SECTOR;

/// Bit 60, "read-only", and bit 63, "do not mount by yourself" (Discoverable Partitions Specification).
pub(crate) const READ_ONLY: u64 = 1 << 60;
pub(crate) const NO_AUTO: u64 = 1 << 63;

/// A partition table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub disk: Guid,
    /// Bytes of the whole disk.
    pub size: u64,
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub name: String,
    pub kind: Guid,
    pub guid: Guid,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    pub attributes: u64,
}

impl Table {
    /// The bytes at the disk's beginning (protective MBR, header, entries) and those at its end (entries, header).
    pub(crate) fn encode(&self) -> (Vec<u8>, Vec<u8>) {
        let last = self.size / SECTOR - 1;
        let mut entries = vec![0; ENTRIES * ENTRY];
        for (partition, entry) in self.partitions.iter().zip(entries.chunks_mut(ENTRY)) {
            partition.encode(entry);
        }
        let mut head = protective_mbr(last);
        head.extend(self.header(1, last, 2, &entries));
        head.extend(&entries);
        let mut tail = entries.clone();
        tail.extend(self.header(last, 1, last - (TABLE - 1), &entries));
        (head, tail)
    }

    fn header(&self, here: u64, other: u64, table: u64, entries: &[u8]) -> [u8; SECTOR as usize] {
        let last = self.size / SECTOR - 1;
        let mut block = [0; SECTOR as usize];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"EFI PART");
        put(8, &0x0001_0000u32.to_le_bytes());
        put(12, &(HEADER as u32).to_le_bytes());
        put(24, &here.to_le_bytes());
        put(32, &other.to_le_bytes());
        put(40, &(1 + TABLE).to_le_bytes());
        put(48, &(last - TABLE).to_le_bytes());
        put(56, &self.disk.to_disk());
        put(72, &table.to_le_bytes());
        put(80, &(ENTRIES as u32).to_le_bytes());
        put(84, &(ENTRY as u32).to_le_bytes());
        put(88, &crc(entries).to_le_bytes());
        let sum = crc(&block[..HEADER]);
        block[16..20].copy_from_slice(&sum.to_le_bytes());
        block
    }

    /// Reads a table. `read` gives the bytes at a place of the disk, `size` is the disk's.
    /// Where the header at the beginning is damaged, the one at the end counts.
    ///
    /// # Errors
    /// Why the header at the beginning is none.
    pub(crate) fn decode(
        size: u64,
        read: impl Fn(u64, usize) -> Option<Vec<u8>>,
    ) -> Result<Self, &'static str> {
        let last = (size / SECTOR).checked_sub(1).ok_or("it is empty")?;
        decode_at(1, size, &read).or_else(|why| decode_at(last, size, &read).map_err(|_| why))
    }
}

fn decode_at(
    lba: u64,
    size: u64,
    read: &impl Fn(u64, usize) -> Option<Vec<u8>>,
) -> Result<Table, &'static str> {
    let header = read(lba * SECTOR, SECTOR as usize).ok_or("it is too short for a partition table")?;
    let mut unsummed = header[..HEADER].to_vec();
    unsummed[16..20].fill(0);
    if &header[..8] != b"EFI PART" {
        return Err("it has no GUID partition table");
    }
    if number(&header, 12, 4) != HEADER as u64 || number(&header, 24, 8) != lba {
        return Err("the header of its partition table is not one that GeminiOS writes");
    }
    if number(&header, 16, 4) != u64::from(crc(&unsummed)) {
        return Err("the header of its partition table is damaged");
    }
    if number(&header, 80, 4) != ENTRIES as u64 || number(&header, 84, 4) != ENTRY as u64 {
        return Err("its partition table has not 128 entries of 128 bytes");
    }
    let place = number(&header, 72, 8).checked_mul(SECTOR).ok_or("its partition table is beyond its end")?;
    let entries = read(place, ENTRIES * ENTRY).ok_or("its partition table is beyond its end")?;
    if number(&header, 88, 4) != u64::from(crc(&entries)) {
        return Err("its partition table is damaged");
    }
    let used = entries.chunks(ENTRY).filter(|entry| entry[..16] != [0; 16]);
    let partitions = used.map(|entry| Partition::decode(entry, size)).collect::<Result<_, _>>()?;
    Ok(Table { disk: guid(&header, 56), size, partitions })
}

impl Partition {
    fn encode(&self, entry: &mut [u8]) {
        entry[..16].copy_from_slice(&self.kind.to_disk());
        entry[16..32].copy_from_slice(&self.guid.to_disk());
        entry[32..40].copy_from_slice(&(self.start / SECTOR).to_le_bytes());
        entry[40..48].copy_from_slice(&((self.start + self.size) / SECTOR - 1).to_le_bytes());
        entry[48..56].copy_from_slice(&self.attributes.to_le_bytes());
        for (unit, place) in self.name.encode_utf16().zip(entry[56..].chunks_mut(2)) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
    }

    fn decode(entry: &[u8], size: u64) -> Result<Self, &'static str> {
        let (first, last) = (number(entry, 32, 8), number(entry, 40, 8));
        if first < 1 + TABLE || last < first || last >= size / SECTOR {
            return Err("one of its partitions is beyond its end");
        }
        let name: Vec<u16> =
            entry[56..].chunks(2).map(|unit| number(unit, 0, 2) as u16).take_while(|u| *u != 0).collect();
        Ok(Partition {
            name: String::from_utf16_lossy(&name),
            kind: guid(entry, 0),
            guid: guid(entry, 16),
            start: first * SECTOR,
            size: (last - first + 1) * SECTOR,
            attributes: number(entry, 48, 8),
        })
    }
}

/// One partition of type 0xEE over the whole disk, so that old tools keep off (section 5.2.3).
fn protective_mbr(last: u64) -> Vec<u8> {
    let mut block = vec![0; SECTOR as usize];
    block[446..454].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    block[454..458].copy_from_slice(&1u32.to_le_bytes());
    block[458..462].copy_from_slice(&u32::try_from(last).unwrap_or(u32::MAX).to_le_bytes());
    block[510..].copy_from_slice(&[0x55, 0xaa]);
    block
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
}

fn guid(bytes: &[u8], at: usize) -> Guid {
    let mut raw = [0; 16];
    raw.copy_from_slice(&bytes[at..at + 16]);
    Guid::from_disk(raw)
}

#[cfg(test)]
mod tests;
