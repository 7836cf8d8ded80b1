//! One flipped byte, and the boot refuses: in the root, in its hash tree.

use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use geminios_qemu_tests::{Device, Product, product, state};
use serde_json::Value;

/// A partition of the image: where it begins and how long it is, in bytes.
fn partition(product: &Product, name: &str) -> Result<(u64, u64)> {
    let output = product.command("inspect").arg(product.image()?).args(["--format", "json"]).output()?;
    let report: Value = serde_json::from_slice(&output.stdout).context("inspect printed no JSON")?;
    let list = report["partitions"].as_array().context("no partitions")?;
    let found = list.iter().find(|p| p["name"] == name).with_context(|| format!("no partition {name}"))?;
    let number = |key: &str| found[key].as_u64().with_context(|| format!("no {key}"));
    Ok((number("start")?, number("size")?))
}

fn flip(disk: &Path, at: u64) -> Result<()> {
    let file = std::fs::File::options().read(true).write(true).open(disk)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    file.write_all_at(&[byte[0] ^ 1], at)?;
    Ok(())
}

/// Boots once so that the disk is there, pulls the plug at the first word of the console, flips a byte, boots again.
fn refusal_after_flip(partition_name: &str, offset: u64) -> Result<String> {
    let product = product();
    let state = state(product)?;
    let mut device = Device::power_on(product, state.path())?;
    device.expect("BdsDxe")?;
    device.power_cut();
    let (start, size) = partition(product, partition_name)?;
    assert!(offset < size);
    flip(&state.path().join("disk.img"), start + offset)?;
    let mut device = Device::power_on(product, state.path())?;
    device.expect("geminios-init: FAILED")?;
    let reason = device.expect("\n")?;
    assert!(!device.console().contains("login:"), "the system came up all the same:\n{}", device.console());
    Ok(reason)
}

#[test]
fn a_flipped_byte_in_the_root_is_refused_by_name() -> Result<()> {
    // The superblock of erofs, 1024 bytes into the partition: the first thing that is read.
    let reason = refusal_after_flip("root-a", 1024 + 4)?;
    assert!(reason.contains("root"), "{reason}");
    Ok(())
}

#[test]
fn a_flipped_byte_in_the_hash_tree_is_refused_by_name() -> Result<()> {
    // The top of the tree, in the block after the superblock: every read passes through it.
    let reason = refusal_after_flip("root-a-verity", 4096 + 7)?;
    assert!(reason.contains("verity"), "{reason}");
    Ok(())
}
