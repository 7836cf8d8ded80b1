//! One flipped byte, and the boot refuses: in the root, in its hash tree, in a file that is read late.

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
fn boot_after_flip(state: &Path, partition_name: &str, offset: u64) -> Result<Device> {
    let product = product();
    let mut device = Device::power_on(product, state)?;
    device.expect("BdsDxe")?;
    device.power_cut();
    let (start, size) = partition(product, partition_name)?;
    assert!(offset < size);
    flip(&state.join("disk.img"), start + offset)?;
    Device::power_on(product, state)
}

/// The reason that the initrd gives for not going on.
fn refusal_after_flip(partition_name: &str, offset: u64) -> Result<String> {
    let state = state(product())?;
    let mut device = boot_after_flip(state.path(), partition_name, offset)?;
    device.expect("geminios-init: FAILED")?;
    let reason = device.expect("\n")?;
    assert!(!device.console().contains("login:"), "the system came up all the same:\n{}", device.console());
    // The file system has a checksum here and there, and would complain too: that is not what protects it.
    assert!(reason.contains("dm-verity refused"), "{reason}");
    device.expect("BdsDxe").map(|_| reason)
}

/// Where the bytes of a file stand in the root.
fn place_of(path: &str) -> Result<u64> {
    let (start, _) = partition(product(), "root-a")?;
    let mut dump = product().build_tool("dump.erofs")?;
    dump.arg("-e").arg(format!("--offset={start}")).arg(format!("--path={path}"));
    let output = dump.arg(product().image()?).output()?;
    let text = String::from_utf8(output.stdout)?;
    let extent = text.lines().find(|line| line.trim_start().starts_with("0:")).context(text.clone())?;
    let physical =
        extent.rsplit(':').next().and_then(|range| range.split("..").next()).context(text.clone())?;
    Ok(physical.trim().parse()?)
}

#[test]
fn a_flipped_byte_in_the_root_is_refused_by_name() -> Result<()> {
    // The superblock of erofs, 1024 bytes into the partition: the first thing that is read.
    let reason = refusal_after_flip("root-a", 1024 + 4)?;
    assert!(reason.contains("root hash"), "{reason}");
    Ok(())
}

#[test]
fn a_flipped_byte_in_the_hash_tree_is_refused_by_name() -> Result<()> {
    // The top of the tree, in the block after the superblock: every read passes through it.
    let reason = refusal_after_flip("root-a-verity", 4096 + 7)?;
    assert!(reason.contains("verity"), "{reason}");
    Ok(())
}

#[test]
fn a_flipped_byte_in_a_file_that_is_read_late_stops_the_machine() -> Result<()> {
    let state = state(product())?;
    // The first program of the root, after the initrd has done its work.
    let mut device = boot_after_flip(state.path(), "root-a", place_of("/usr/lib/systemd/systemd")? + 1000)?;
    device.expect("is corrupted")?;
    device.expect("dm-verity device corrupted")?;
    device.expect("BdsDxe")?;
    assert!(!device.console().contains("login:"), "the system came up all the same:\n{}", device.console());
    Ok(())
}
