//! Finds the disk that holds the root of this boot, and the partitions of its slot.

use core::time::Duration;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::cmdline::RootHash;
use crate::device::{self, PartitionDevice};
use crate::gpt::Table;
use crate::{console, file};

/// How long slow disks (USB, SD cards, controllers that spin up) may take to appear.
const PATIENCE_SECONDS: u32 = 30;
const LOOKS_PER_SECOND: u32 = 10;
/// Label of the partition with the device's identity.
const CONFIG: &str = "config";

/// The partitions of the slot that this kernel belongs to.
#[derive(Debug)]
pub struct Slot {
    pub root: PartitionDevice,
    pub verity: PartitionDevice,
    pub config: PartitionDevice,
}

/// Waits for a disk with the partitions that the root hash names.
pub fn wait_for_slot(root_hash: &RootHash) -> Result<Slot, String> {
    let mut seen = Vec::new();
    for _ in 0..PATIENCE_SECONDS * LOOKS_PER_SECOND {
        seen.clear();
        for name in disks()? {
            match slot_on(&name, root_hash) {
                Ok(slot) => return Ok(slot),
                Err(reason) => seen.push(format!("{name}: {reason}")),
            }
        }
        console::sleep(Duration::from_secs(1) / LOOKS_PER_SECOND);
    }
    let seen = if seen.is_empty() { "no disk at all".to_string() } else { seen.join("; ") };
    Err(format!("no disk holds PARTUUID {} after {PATIENCE_SECONDS} s ({seen})", root_hash.root_uuid()))
}

/// Whole disks with a medium in them, by name. Two disks may hold copies of one image: the first name wins.
fn disks() -> Result<Vec<String>, String> {
    let mut disks = file::names(device::SYS)?;
    disks.retain(|name| {
        // Memory disks, loops and mapped devices have no hardware behind them; partitions are found by their disk.
        let has =
            |attribute| rustix::fs::access(device::sys(name, attribute), rustix::fs::Access::EXISTS).is_ok();
        has("device") && !has("partition") && device::number(name, "size").is_ok_and(|size| size > 0)
    });
    Ok(disks)
}

fn slot_on(disk: &str, root_hash: &RootHash) -> Result<Slot, String> {
    let (table, block) = device::read_table(disk)?;
    let by_uuid = |uuid| table.by_uuid(uuid).ok_or_else(|| format!("its GPT has no PARTUUID {uuid}"));
    let root = by_uuid(root_hash.root_uuid())?;
    let verity = by_uuid(root_hash.verity_uuid())?;
    let config =
        table.by_label(CONFIG).ok_or_else(|| format!("its GPT has no partition labelled {CONFIG}"))?;
    let slot = Slot {
        root: PartitionDevice::find(disk, root, block)?,
        verity: PartitionDevice::find(disk, verity, block)?,
        config: PartitionDevice::find(disk, config, block)?,
    };
    tell_damage(disk, &table);
    Ok(slot)
}

fn tell_damage(disk: &str, table: &Table) {
    if let Some(damage) = &table.primary_damage {
        console::warn(&format!("{disk}: {damage}; its backup GPT is used"));
    }
}
