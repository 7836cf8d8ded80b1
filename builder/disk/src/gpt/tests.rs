use super::{NO_AUTO, Partition, SECTOR, Table};
use crate::guid::Guid;

const SIZE: u64 = 8 << 20;

fn table() -> Table {
    let partition = |name: &str, n: u8, start: u64, size: u64| Partition {
        name: name.to_owned(),
        kind: Guid::new([n; 16]),
        guid: Guid::new([n + 1; 16]),
        start,
        size,
        attributes: NO_AUTO,
    };
    let partitions =
        vec![partition("esp", 1, 1 << 20, 2 << 20), partition("root-a-verity", 3, 3 << 20, 4096)];
    Table { disk: Guid::new(*b"0123456789abcdef"), size: SIZE, partitions }
}

fn disk() -> Vec<u8> {
    let (head, tail) = table().encode();
    let mut disk = vec![0; SIZE as usize];
    disk[..head.len()].copy_from_slice(&head);
    disk[SIZE as usize - tail.len()..].copy_from_slice(&tail);
    disk
}

fn decode(disk: &[u8]) -> Result<Table, &'static str> {
    Table::decode(disk.len() as u64, |at, size| Some(disk.get(at as usize..)?.get(..size)?.to_vec()))
}

#[test]
fn a_table_is_read_back() {
    assert_eq!(decode(&disk()), Ok(table()));
}

#[test]
fn the_table_at_the_end_stands_in() {
    for at in [SECTOR, SECTOR + 24, SECTOR + 60, 2 * SECTOR, 2 * SECTOR + 200] {
        let mut disk = disk();
        disk[at as usize] ^= 1;
        assert_eq!(decode(&disk), Ok(table()), "byte {at}");
    }
}

#[test]
fn a_flipped_bit_in_both_tables_is_refused() {
    let end = SIZE - SECTOR;
    let entries = SIZE - 33 * SECTOR;
    for (front, back) in
        [(SECTOR, end), (SECTOR + 60, end + 60), (2 * SECTOR, entries), (17 * SECTOR, entries + 15 * SECTOR)]
    {
        let mut disk = disk();
        disk[front as usize] ^= 1;
        disk[back as usize] ^= 1;
        assert!(decode(&disk).is_err(), "bytes {front} and {back}");
    }
}

#[test]
fn cut_short_is_refused() {
    let disk = disk();
    for length in [0, 1, 511, 512, 600, 1024, 1025, 17 * 512] {
        assert!(decode(&disk[..length]).is_err(), "{length} bytes");
    }
}

/// A table may have right checksums and still be nonsense.
#[test]
fn partitions_beyond_the_end_are_refused() {
    for (start, size) in [(SIZE, 4096), (0, 4096), (1 << 20, SIZE), (1 << 62, 4096)] {
        let mut table = table();
        table.partitions[0].start = start;
        table.partitions[0].size = size;
        let (head, _) = table.encode();
        let mut disk = vec![0; SIZE as usize];
        disk[..head.len()].copy_from_slice(&head);
        assert_eq!(decode(&disk), Err("one of its partitions is beyond its end"), "{start} {size}");
    }
}

#[test]
fn guids_stand_on_disk_as_the_specification_says() {
    let guid: Guid = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".parse().expect("a GUID");
    let bytes =
        [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];
    assert_eq!(guid.to_disk(), bytes);
    assert_eq!(Guid::from_disk(bytes).to_string(), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    assert!("c12a7328f81f11d2ba4b00a0c93ec93b".parse::<Guid>().is_err());
    assert!("+12a7328-f81f-11d2-ba4b-00a0c93ec93b".parse::<Guid>().is_err());
}
