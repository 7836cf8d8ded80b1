//! Writes a partition table (UEFI specification 2.10, chapter 5) to a file that is a disk. sgdisk judges it in `disk.rs`.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// A partition: its label, its GUID in the order of its text, first byte, bytes.
pub type Row = (&'static str, [u8; 16], u64, u64);

const ENTRIES: usize = 128 * 128;
/// "Linux filesystem data", as it lies on the disk.
const KIND: [u8; 16] = *b"\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4";

pub fn write(disk: &File, size: u64, block: u64, rows: &[Row]) {
    let last = size / block - 1;
    let blocks = ENTRIES as u64 / block;
    let mut entries = vec![0; ENTRIES];
    for ((label, guid, start, size), entry) in rows.iter().zip(entries.chunks_mut(128)) {
        entry[..16].copy_from_slice(&KIND);
        entry[16..32].copy_from_slice(&on_disk(*guid));
        entry[32..40].copy_from_slice(&(start / block).to_le_bytes());
        entry[40..48].copy_from_slice(&((start + size) / block - 1).to_le_bytes());
        let name: Vec<u8> = label.encode_utf16().flat_map(u16::to_le_bytes).collect();
        entry[56..56 + name.len()].copy_from_slice(&name);
    }
    for (here, there, table) in [(1, last, 2), (last, 1, last - blocks)] {
        let mut header = vec![0; block as usize];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"EFI PART\0\0\x01\0\x5c\0\0\0");
        put(24, &here.to_le_bytes());
        put(32, &there.to_le_bytes());
        put(40, &(2 + blocks).to_le_bytes());
        put(48, &(last - blocks - 1).to_le_bytes());
        put(56, &[7; 16]);
        put(72, &table.to_le_bytes());
        put(80, &128_u32.to_le_bytes());
        put(84, &128_u32.to_le_bytes());
        put(88, &crc32(&entries).to_le_bytes());
        let sum = crc32(&header[..92]);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        disk.write_all_at(&header, here * block).unwrap();
        disk.write_all_at(&entries, table * block).unwrap();
    }
    // A protective MBR (5.2.3).
    let mut mbr = [0; 512];
    mbr[446..462].copy_from_slice(b"\0\0\x02\0\xee\xff\xff\xff\x01\0\0\0\0\0\0\0");
    mbr[458..462].copy_from_slice(&(last as u32).to_le_bytes());
    mbr[510..].copy_from_slice(b"\x55\xaa");
    disk.write_all_at(&mbr, 0).unwrap();
}

fn on_disk(mut guid: [u8; 16]) -> [u8; 16] {
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    guid
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}
