//! Every byte counts: whatever is flipped or cut in root or hash tree is refused and named.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use geminios_model::Digest;
use geminios_seal::{BLOCK, Corruption, Region, Verity, verify};
use tempfile::TempDir;

/// 200 blocks: a tree of two levels, block 1 and blocks 2 and 3.
struct Image {
    dir: TempDir,
    verity: Verity,
}

impl Image {
    fn new() -> Self {
        Image::of(200)
    }

    fn of(blocks: u64) -> Self {
        let dir = TempDir::new().expect("a folder");
        let root: Vec<u8> = (0..blocks * BLOCK).map(|i| (i * i / 77) as u8).collect();
        std::fs::write(dir.path().join("root"), root).expect("written");
        let root = Region::whole(&dir.path().join("root")).expect("opened");
        let verity = Verity::write(&root, [7; 32], &dir.path().join("tree")).expect("hashed");
        Image { verity, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn check(&self) -> Result<Verity, Corruption> {
        self.check_with(&self.verity.root_hash)
    }

    fn check_with(&self, hash: &Digest) -> Result<Verity, Corruption> {
        let region = |name| Region::whole(&self.path(name)).expect("opened");
        verify(&region("root"), &region("tree"), hash)
    }

    /// What is said when one bit of a byte is flipped; the byte is mended afterwards.
    fn flipped(&self, name: &str, at: u64) -> Corruption {
        let path = self.path(name);
        let good = std::fs::read(&path).expect("read");
        let mut bad = good.clone();
        bad[at as usize] ^= 0x10;
        std::fs::write(&path, bad).expect("written");
        let found = self.check();
        std::fs::write(&path, good).expect("written");
        found.expect_err("a flipped bit was not seen")
    }
}

#[test]
fn what_was_written_is_accepted() {
    let image = Image::new();
    assert_eq!(image.check().expect("whole"), image.verity);
}

#[test]
fn a_flipped_bit_in_the_root_names_its_block() {
    let image = Image::new();
    for block in [0, 1, 127, 128, 199] {
        for at in [0, 2000, 4095] {
            let found = image.flipped("root", block * BLOCK + at);
            assert!(matches!(found, Corruption::Root { block: b } if b == block), "block {block}: {found}");
        }
    }
}

/// However many threads look, and whichever finds something first.
#[test]
fn the_first_of_many_bad_blocks_is_named() {
    let image = Image::of(40 * 128);
    let mut root = vec![0; 40 * 128 * BLOCK as usize];
    let good = std::fs::read(image.path("root")).expect("read");
    let first = 10 * 128 * BLOCK as usize;
    root[..first].copy_from_slice(&good[..first]);
    std::fs::write(image.path("root"), root).expect("written");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("threads");
    let found = pool.install(|| image.check()).expect_err("zero from there on");
    assert!(matches!(found, Corruption::Root { block: 1280 }), "{found}");
}

#[test]
fn a_flipped_bit_in_a_level_of_the_tree_names_its_block() {
    let image = Image::new();
    for at in [0, 33, 4095] {
        let found = image.flipped("tree", BLOCK + at);
        assert!(matches!(found, Corruption::RootHash { .. }), "top: {found}");
        for block in [2, 3] {
            let found = image.flipped("tree", block * BLOCK + at);
            assert!(
                matches!(found, Corruption::Tree { level: 2, block: b } if b == block),
                "block {block}: {found}"
            );
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_in_the_superblock_is_seen() {
    let image = Image::new();
    for at in (0..600).chain([4095]) {
        let found = image.flipped("tree", at);
        assert!(matches!(found, Corruption::Superblock(_)), "byte {at}: {found}");
    }
}

#[test]
fn another_root_hash_is_refused() {
    let image = Image::new();
    let found = image.check_with(&Digest::of("another")).expect_err("another image");
    assert!(matches!(found, Corruption::Superblock(_)), "{found}");
}

#[test]
fn cut_short_is_refused() {
    let image = Image::new();
    for (name, lengths) in [("root", [0, BLOCK, 200 * BLOCK - 1]), ("tree", [0, 2 * BLOCK, 4 * BLOCK - 1])] {
        let path = image.path(name);
        let good = std::fs::read(&path).expect("read");
        for length in lengths {
            std::fs::write(&path, &good[..length as usize]).expect("written");
            let found = image.check().expect_err("too short");
            let expected = if name == "root" { "root" } else { "hash tree" };
            assert!(matches!(found, Corruption::Short { part, .. } if part == expected), "{found}");
        }
        std::fs::write(&path, good).expect("written");
    }
}

/// As in a partition, which is larger than what it holds.
#[test]
fn room_behind_root_and_tree_does_not_matter() {
    let image = Image::new();
    for name in ["root", "tree"] {
        let mut bytes = std::fs::read(image.path(name)).expect("read");
        bytes.resize(bytes.len() + 10_000, 0xee);
        std::fs::write(image.path(name), bytes).expect("written");
    }
    image.check().expect("whole");
}

/// Such a superblock can be made to match any root hash.
#[test]
fn a_superblock_that_promises_too_much_is_refused() {
    let image = Image::new();
    let mut tree = std::fs::read(image.path("tree")).expect("read");
    for data_blocks in [0, 1 << 20, u64::MAX / BLOCK, u64::MAX] {
        let hostile = Verity { data_blocks, ..image.verity.clone() };
        tree[72..80].copy_from_slice(&data_blocks.to_le_bytes());
        tree[16..32].copy_from_slice(&hostile.uuid());
        std::fs::write(image.path("tree"), &tree).expect("written");
        let found = image.check().expect_err("too many blocks");
        assert!(matches!(found, Corruption::Superblock(_)), "{data_blocks} blocks: {found}");
    }
}
