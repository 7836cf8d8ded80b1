use super::*;

/// Blocks of the disks in these tests.
const BLOCKS: u64 = 256;

/// A disk with partitions of 10 blocks: (number, label), the first at block 64.
fn disk(block: u32, partitions: &[(u8, &str)]) -> Vec<u8> {
    let size = block as usize;
    let mut entries = vec![0; 128 * 128];
    for (i, (number, label)) in partitions.iter().enumerate() {
        let entry = &mut entries[(usize::from(*number) - 1) * 128..][..128];
        entry[..16].fill(0xAA);
        entry[16..32].copy_from_slice(&[3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, *number]);
        entry[32..40].copy_from_slice(&(64 + 10 * i as u64).to_le_bytes());
        entry[40..48].copy_from_slice(&(73 + 10 * i as u64).to_le_bytes());
        for (pair, unit) in entry[56..].chunks_exact_mut(2).zip(label.encode_utf16()) {
            pair.copy_from_slice(&unit.to_le_bytes());
        }
    }
    let mut disk = vec![0; BLOCKS as usize * size];
    let entry_blocks = entries.len().div_ceil(size) as u64;
    for (own, entries_lba) in [(1, 2), (BLOCKS - 1, BLOCKS - 1 - entry_blocks)] {
        let at = entries_lba as usize * size;
        disk[at..at + entries.len()].copy_from_slice(&entries);
        let header = &mut disk[own as usize * size..][..92];
        header[..8].copy_from_slice(b"EFI PART");
        header[8..16].copy_from_slice(&[0, 0, 1, 0, 92, 0, 0, 0]);
        for (at, value) in [(24, own), (32, BLOCKS - own), (40, 40), (48, BLOCKS - 40), (72, entries_lba)] {
            header[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        }
        for (at, value) in [(80, 128), (84, 128), (88, crc32(&entries))] {
            header[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        }
        sign(header);
    }
    disk
}

fn sign(header: &mut [u8]) {
    header[16..20].fill(0);
    let crc = crc32(&header[..92]);
    header[16..20].copy_from_slice(&crc.to_le_bytes());
}

fn read_disk(disk: &[u8], block: u32) -> Result<Table, GptError> {
    let read_at = |at: u64, bytes: &mut [u8]| {
        let part = disk.get(at as usize..at as usize + bytes.len()).ok_or("beyond the end")?;
        bytes.copy_from_slice(part);
        Ok(())
    };
    read(&read_at, disk.len() as u64, block)
}

#[test]
fn partitions_of_disks_with_both_block_sizes() {
    for block in [512, 4096] {
        let table = read_disk(&disk(block, &[(1, "esp"), (3, "config")]), block).unwrap();
        assert!(table.primary_damage.is_none());
        let config = table.by_label("config").unwrap();
        assert_eq!((config.number, config.first, config.blocks), (3, 74, 10));
        assert_eq!(config.uuid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e03");
        assert_eq!(table.by_uuid(config.uuid), Some(config));
        assert_eq!(table.partitions.len(), 2);
    }
}

#[test]
fn the_backup_stands_in_for_a_damaged_primary() {
    for (at, what) in
        [(512, "no GPT"), (512 + 60, "wrong header checksum"), (1024 + 33, "checksum of the entries")]
    {
        let mut disk = disk(512, &[(2, "root-a")]);
        disk[at] ^= 1;
        let table = read_disk(&disk, 512).unwrap();
        assert!(table.primary_damage.as_ref().unwrap().to_string().contains(what), "{table:?}");
        assert!(table.by_label("root-a").is_some());
    }
}

#[test]
fn both_tables_damaged() {
    let mut disk = disk(512, &[(2, "root-a")]);
    disk[512 + 60] ^= 1;
    disk[511 * 256] ^= 1;
    let backup = (BLOCKS as usize - 1) * 512;
    disk[backup + 60] ^= 1;
    assert!(matches!(read_disk(&disk, 512), Err(GptError::HeaderChecksum)));
}

/// Changes one field of both headers, with a checksum that fits.
fn with_field(at: usize, bytes: &[u8]) -> Result<Table, GptError> {
    let mut disk = disk(512, &[(2, "root-a")]);
    for header in [512, (BLOCKS as usize - 1) * 512] {
        disk[header + at..header + at + bytes.len()].copy_from_slice(bytes);
        sign(&mut disk[header..header + 92]);
    }
    read_disk(&disk, 512)
}

#[test]
fn hostile_headers_are_refused_by_name() {
    let huge = &[0xff; 8];
    let cases: &[(usize, &[u8], &str)] = &[
        (12, &[91, 0, 0, 0], "header size"),
        (12, &huge[..4], "header size"),
        (24, huge, "own position"),
        (40, huge, "usable range"),
        (48, huge, "usable range"),
        (72, &[0; 8], "position of the entries"),
        (72, huge, "position of the entries"),
        (80, &[0; 4], "number of entries"),
        (80, &huge[..4], "number of entries"),
        (84, &[0; 4], "entry size"),
        (84, &[129, 0, 0, 0], "entry size"),
        (84, &huge[..4], "entry size"),
        (88, &huge[..4], "checksum of the entries"),
        (40, &[80, 0], "partition range"),
        (48, &[70, 0], "partition range"),
    ];
    for (at, bytes, field) in cases {
        let error = with_field(*at, bytes).unwrap_err().to_string();
        assert!(error.contains(field), "header byte {at}: {error}");
    }
}

#[test]
fn disks_that_hold_no_table() {
    assert!(matches!(read_disk(&[0; 1024], 512), Err(GptError::NoDisk)));
    assert!(matches!(read_disk(&[], 512), Err(GptError::NoDisk)));
    assert!(matches!(read_disk(&[0; 8192], 512), Err(GptError::NoSignature)));
    assert!(matches!(read_disk(&[0; 8192], 0), Err(GptError::BadField(_))));
    // Shorter than its own header says, as after a cut copy.
    let short = &disk(512, &[(2, "root-a")])[..20 * 512];
    assert!(matches!(read_disk(short, 512), Err(GptError::BadField("usable range"))));
    // Blocks of 512 bytes read as blocks of 4096.
    assert!(read_disk(&disk(512, &[(2, "root-a")]), 4096).is_err());
}

#[test]
fn no_byte_of_a_header_makes_it_panic() {
    for at in 0..92 {
        for value in [0, 0xff] {
            let _ = with_field(at, &[value]);
        }
    }
}
