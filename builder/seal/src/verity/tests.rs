use geminios_model::Digest;
use tempfile::TempDir;

use super::{BLOCK, Verity, level_blocks, uuid_from, uuid_text};
use crate::region::Region;

const SALT: [u8; 32] = [0x5a; 32];

/// Blocks that all differ.
fn pattern(blocks: usize) -> Vec<u8> {
    (0..blocks).flat_map(|i| (0..BLOCK as usize).map(move |j| (i * 7 + j * 13) as u8)).collect()
}

fn write(dir: &TempDir, blocks: usize) -> (Verity, Vec<u8>) {
    let (data, tree) = (dir.path().join("data"), dir.path().join("tree"));
    std::fs::write(&data, pattern(blocks)).expect("written");
    let verity = Verity::write(&Region::whole(&data).expect("opened"), SALT, &tree).expect("hashed");
    (verity, std::fs::read(&tree).expect("read"))
}

/// Root hashes that `veritysetup format` gave for the same blocks and salt.
#[test]
fn root_hashes_are_those_of_veritysetup() {
    let dir = TempDir::new().expect("a folder");
    for (blocks, hash) in [
        (1, "be4099e52f70de507611c3735fedd7c0fc308638888c1b5bfe01f8a12adb2a43"),
        (128, "b6a27e06a0259ff9759794c1bf8c4cf215a91bbd78b06f65fa9fb97bed8f1827"),
        (200, "f1649aa35e18f27c65a5088cea3b9a6e65893a8e4d490a18f40235e2f941713a"),
    ] {
        let (verity, tree) = write(&dir, blocks);
        assert_eq!(verity.root_hash.to_string(), hash, "{blocks} blocks");
        assert_eq!(verity.size(), tree.len() as u64, "{blocks} blocks");
    }
}

#[test]
fn a_level_has_a_block_for_each_128_below() {
    let rows: [(u64, &[u64]); 6] = [
        (1, &[]),
        (2, &[1]),
        (128, &[1]),
        (129, &[1, 2]),
        (128 * 128, &[1, 128]),
        (128 * 128 + 1, &[1, 2, 129]),
    ];
    for (data, levels) in rows {
        assert_eq!(level_blocks(data), levels, "{data} data blocks");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let dir = TempDir::new().expect("a folder");
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| write(&dir, 1000))
    };
    assert!(with(1) == with(5));
}

#[test]
fn data_that_is_no_whole_number_of_blocks_is_refused() {
    let dir = TempDir::new().expect("a folder");
    let data = dir.path().join("data");
    for length in [0, 1, 4095, 4097] {
        std::fs::write(&data, vec![0; length]).expect("written");
        let region = Region::whole(&data).expect("opened");
        assert!(Verity::write(&region, SALT, &dir.path().join("tree")).is_err(), "{length} bytes");
    }
}

#[test]
fn a_uuid_is_one_of_version_8() {
    let text = uuid_text(&uuid_from(&Digest::from([0xff; 32])));
    assert_eq!(text, "ffffffff-ffff-8fff-bfff-ffffffffffff");
}
