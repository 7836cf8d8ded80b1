//! GUID partition tables as the UEFI specification (2.10, section 5.3) has them, independent of the crate.

use crate::machine::{Pages, SECTOR};

pub struct Partition {
    pub name: String,
    /// In the order of its text.
    pub guid: [u8; 16],
    pub start: usize,
    pub size: usize,
}

thread_local! {
    static TABLE: [u32; 256] = std::array::from_fn(|n| {
        (0..8).fold(n as u32, |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    });
}

fn crc(bytes: &[u8]) -> u32 {
    TABLE.with(|table| !bytes.iter().fold(!0, |c, b| table[((c ^ u32::from(*b)) & 0xff) as usize] ^ (c >> 8)))
}

fn mixed(guid: [u8; 16]) -> [u8; 16] {
    let g = guid;
    [g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]]
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub fn write(pages: &mut Pages, rows: &[(&str, [u8; 16], usize, usize)]) {
    let last = pages.size() / SECTOR - 1;
    let mut entries = vec![0; 128 * 128];
    for (i, (name, guid, first, size)) in rows.iter().enumerate() {
        let entry = &mut entries[i * 128..][..128];
        entry[..16].fill(0x11);
        entry[16..32].copy_from_slice(&mixed(*guid));
        entry[32..40].copy_from_slice(&(*first as u64).to_le_bytes());
        entry[40..48].copy_from_slice(&((first + size - 1) as u64).to_le_bytes());
        for (unit, place) in name.encode_utf16().zip(entry[56..].chunks_mut(2)) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
    }
    for (here, other, table) in [(1, last, 2), (last, 1, last - 32)] {
        let mut header = vec![0; SECTOR];
        header[..8].copy_from_slice(b"EFI PART");
        header[8..16].copy_from_slice(&[0, 0, 1, 0, 92, 0, 0, 0]);
        for (at, value) in [(24, here), (32, other), (40, 34), (48, last - 33), (72, table)] {
            header[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
        }
        header[56..72].fill(0x22);
        header[80..84].copy_from_slice(&128u32.to_le_bytes());
        header[84..88].copy_from_slice(&128u32.to_le_bytes());
        header[88..92].copy_from_slice(&crc(&entries).to_le_bytes());
        let sum = crc(&header[..92]);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        pages.write(here * SECTOR, &header);
        pages.write(table * SECTOR, &entries);
    }
}

/// The primary table, or the backup if the primary is not valid.
pub fn read(pages: &Pages) -> Result<Vec<Partition>, String> {
    let last = (pages.size() / SECTOR - 1) as u64;
    at(pages, 1).or_else(|primary| at(pages, last).map_err(|backup| format!("no GPT: {primary}; {backup}")))
}

/// Whether each copy is valid.
pub fn valid(pages: &Pages) -> [bool; 2] {
    [at(pages, 1).is_ok(), at(pages, (pages.size() / SECTOR - 1) as u64).is_ok()]
}

fn at(pages: &Pages, lba: u64) -> Result<Vec<Partition>, &'static str> {
    let mut header = pages.get(lba as usize * SECTOR, SECTOR);
    let sum = u32_at(&header, 16);
    header[16..20].fill(0);
    if &header[..8] != b"EFI PART" || u32_at(&header, 12) != 92 || crc(&header[..92]) != sum {
        return Err("header");
    }
    if u64_at(&header, 24) != lba || u32_at(&header, 80) != 128 || u32_at(&header, 84) != 128 {
        return Err("fields");
    }
    let entries = pages.get(u64_at(&header, 72) as usize * SECTOR, 128 * 128);
    if crc(&entries) != u32_at(&header, 88) {
        return Err("entries");
    }
    let used = entries.chunks(128).filter(|entry| entry[..16] != [0; 16]);
    let partitions = used.map(|entry| {
        let units: Vec<u16> = entry[56..].chunks(2).map(|u| u16::from_le_bytes([u[0], u[1]])).collect();
        let first = u64_at(entry, 32) as usize;
        Partition {
            name: String::from_utf16_lossy(units.split(|u| *u == 0).next().unwrap()),
            guid: mixed(entry[16..32].try_into().unwrap()),
            start: first * SECTOR,
            size: (u64_at(entry, 40) as usize + 1 - first) * SECTOR,
        }
    });
    Ok(partitions.collect())
}
