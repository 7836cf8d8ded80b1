use super::*;

const HASH: &str = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";

/// 1000 blocks, salt of two bytes.
fn superblock() -> [u8; SUPERBLOCK] {
    let mut bytes = [0; SUPERBLOCK];
    bytes[..8].copy_from_slice(b"verity\0\0");
    bytes[8] = 1;
    bytes[12] = 1;
    bytes[16..32].fill(0x5a);
    bytes[32..38].copy_from_slice(b"sha256");
    bytes[64..72].copy_from_slice(&[0, 16, 0, 0, 0, 16, 0, 0]);
    bytes[72..80].copy_from_slice(&1000u64.to_le_bytes());
    bytes[80] = 2;
    bytes[88..90].copy_from_slice(&[0xbe, 0xef]);
    bytes
}

fn parse(bytes: &[u8; SUPERBLOCK]) -> Result<Superblock, VerityError> {
    Superblock::parse(bytes, 1000 * BLOCK, 10 * BLOCK)
}

#[test]
fn the_table_that_the_kernel_gets() {
    let superblock = parse(&superblock()).unwrap();
    let root = crate::cmdline::parse(&format!("roothash={HASH}")).unwrap().root_hash;
    assert_eq!(
        superblock.table("254:2", "254:3", &root, OnCorruption::FailRead),
        format!("1 254:2 254:3 4096 4096 1000 1 sha256 {HASH} beef")
    );
    assert_eq!(
        superblock.table("254:2", "254:3", &root, OnCorruption::Panic),
        format!("1 254:2 254:3 4096 4096 1000 1 sha256 {HASH} beef 1 panic_on_corruption")
    );
    assert_eq!(superblock.sectors(), 8000);
    assert_eq!(superblock.device_uuid("root"), format!("CRYPT-VERITY-{}-root", "5a".repeat(16)));
}

#[test]
fn no_salt_is_a_dash() {
    let mut bytes = superblock();
    bytes[80] = 0;
    let root = crate::cmdline::parse(&format!("roothash={HASH}")).unwrap().root_hash;
    assert!(parse(&bytes).unwrap().table("1:2", "1:3", &root, OnCorruption::FailRead).ends_with(" -"));
}

#[test]
fn the_tree_is_as_large_as_veritysetup_makes_it() {
    // Levels for 1000 blocks: 8 and 1; for 128: 1; for 129: 2 and 1; one block is its own root.
    for (data, tree) in [(1, 0), (2, 1), (128, 1), (129, 3), (1000, 9), (16384, 129), (16385, 132)] {
        assert_eq!(tree_blocks(data), tree, "{data} blocks");
    }
    assert!(tree_blocks(u64::MAX) > 0);
}

#[test]
fn hostile_superblocks_are_refused_by_name() {
    let cases: &[(usize, &[u8], &str)] = &[
        (0, b"V", "no dm-verity superblock"),
        (8, &[2], "version 2"),
        (12, &[0], "hash type 0"),
        (32, b"sha512", "`sha512`"),
        (32, &[0xff; 32], "\\xff"),
        (64, &[0xff; 4], "data block size 4294967295"),
        (68, &[0, 2], "hash block size 512"),
        (72, &[0; 8], "covers no data"),
        (72, &1001u64.to_le_bytes(), "covers 4100096 bytes of data, the root partition has 4096000"),
        (72, &[0xff; 8], "the root partition has"),
        (80, &[1, 1], "salt of 257 bytes"),
        (80, &[0xff, 0xff], "salt of 65535 bytes"),
    ];
    for (at, value, message) in cases {
        let mut bytes = superblock();
        bytes[*at..at + value.len()].copy_from_slice(value);
        let error = parse(&bytes).unwrap_err().to_string();
        assert!(error.contains(message), "byte {at}: {error}");
    }
}

#[test]
fn a_tree_cut_short_is_refused() {
    let error = Superblock::parse(&superblock(), 1000 * BLOCK, 10 * BLOCK - 1).unwrap_err();
    assert_eq!(error, VerityError::TreeTooShort { needed: 10 * BLOCK, has: 10 * BLOCK - 1 });
}
