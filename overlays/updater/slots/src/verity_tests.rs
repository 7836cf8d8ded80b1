//! veritysetup makes the trees. Without it the tests are skipped with a word; GEMINIOS_ORACLES=required makes them fail.

use std::process::Command;

use super::*;

struct Made {
    root: Vec<u8>,
    verity: Vec<u8>,
    hash: RootHash,
}

fn made(blocks: usize) -> Option<Made> {
    let dir = tempfile::tempdir().unwrap();
    let (data, tree) = (dir.path().join("root"), dir.path().join("verity"));
    let root: Vec<u8> =
        (0..blocks as u32 * 4096).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(&data, &root).unwrap();
    let mut command = Command::new("veritysetup");
    match command.args(["format", "--salt", "00ff10"]).args([&data, &tree]).output() {
        Ok(output) => {
            let text = String::from_utf8(output.stdout).unwrap();
            let hash = text.lines().find_map(|line| line.strip_prefix("Root hash:")).unwrap();
            let (verity, hash) = (std::fs::read(&tree).unwrap(), hash.trim().parse().unwrap());
            Some(Made { root, verity, hash })
        }
        Err(error) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "veritysetup: {error}");
            println!("skipped: veritysetup: {error}");
            None
        }
    }
}

/// What is found on the disk, where the release has what was made.
fn check(made: &Made, root: &[u8], verity: &[u8]) -> Result<(), String> {
    let blob = |bytes: &[u8]| Blob { size: bytes.len() as u64, sha256: Sha256Sum::of(bytes) };
    let read = |bytes: &[u8], at: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&bytes[at as usize..at as usize + buffer.len()]);
        Ok(())
    };
    let mut read_root = |at, buffer: &mut [u8]| read(root, at, buffer);
    let mut read_verity = |at, buffer: &mut [u8]| read(verity, at, buffer);
    verify((&mut read_root, blob(root)), (&mut read_verity, blob(verity)), &made.hash).unwrap()
}

#[test]
fn trees_of_all_heights_and_a_wrong_bit_in_each_part() {
    for blocks in [1, 2, 127, 128, 129, 300] {
        let Some(made) = made(blocks) else { return };
        assert_eq!(check(&made, &made.root, &made.verity), Ok(()), "{blocks} blocks");
        // The sums are those of the damaged bytes: only the tree can tell.
        for at in [0, made.root.len() / 2, made.root.len() - 1] {
            let mut root = made.root.clone();
            root[at] ^= 1;
            assert!(check(&made, &root, &made.verity).is_err(), "{blocks} blocks, root at {at}");
        }
        // From its second block on the tree; before it, what is looked at of the superblock.
        for at in (4096..made.verity.len()).step_by(997).chain([0, 8, 12, 32, 64, 68, 72, 80, 88]) {
            let mut verity = made.verity.clone();
            verity[at] ^= 1;
            assert!(check(&made, &made.root, &verity).is_err(), "{blocks} blocks, verity at {at}");
        }
    }
}
