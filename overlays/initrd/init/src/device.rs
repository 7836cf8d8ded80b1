//! Block devices: their tables, their partitions' nodes, the verity superblock.

use alloc::format;
use alloc::string::{String, ToString};

use crate::failure::About as _;
use crate::file;
use crate::gpt::{self, Partition, Table};
use crate::verity::{SUPERBLOCK, Superblock};

/// Where the kernel lists block devices.
pub const SYS: &str = "/sys/class/block";
/// /sys counts in these units, whatever the logical block of the disk.
const SECTOR: u64 = 512;

/// A partition that the kernel has a node for.
#[derive(Debug)]
pub struct PartitionDevice {
    /// Such as /dev/sda2.
    pub path: String,
    /// MAJOR:MINOR.
    pub number: String,
    /// Bytes.
    pub size: u64,
}

impl PartitionDevice {
    /// The kernel's node for an entry of the table, at the same place and of the same size.
    pub fn find(disk: &str, entry: &Partition, block: u32) -> Result<PartitionDevice, String> {
        let is_it = |name: &String| number(name, "partition") == Ok(entry.number.into());
        // Partitions are folders inside their disk's folder, with its name before theirs.
        let nodes = file::names(&format!("{SYS}/{disk}"))?;
        let name = nodes.into_iter().filter(|name| name.starts_with(disk)).find(is_it).ok_or_else(|| {
            // The kernel looks at a backup GPT only if told to (block/partitions/efi.c).
            format!(
                "the kernel shows no partition {} (for a backup GPT it needs the word `gpt`)",
                entry.number
            )
        })?;
        let scale = u64::from(block) / SECTOR;
        let (first, sectors) = (number(&name, "start")?, number(&name, "size")?);
        if (Some(first), Some(sectors)) != (entry.first.checked_mul(scale), entry.blocks.checked_mul(scale)) {
            return Err(format!("the kernel's {name} lies elsewhere than the GPT says"));
        }
        let number = attribute(&name, "dev")?;
        Ok(PartitionDevice { path: format!("/dev/{name}"), number, size: sectors.saturating_mul(SECTOR) })
    }
}

/// The table of a disk, and its logical block size in bytes.
pub fn read_table(disk: &str) -> Result<(Table, u32), String> {
    let file = file::reading(&format!("/dev/{disk}")).about("cannot be opened")?;
    let block = rustix::fs::ioctl_blksszget(&file).about("tells no block size")?;
    let size = number(disk, "size")?.saturating_mul(SECTOR);
    let read_at = |at, bytes: &mut [u8]| file::read_at(&file, bytes, at).about(format_args!("byte {at}"));
    let table = gpt::read(&read_at, size, block).map_err(|error| error.to_string())?;
    Ok((table, block))
}

/// The checked superblock at the start of a verity partition.
pub fn superblock(root: &PartitionDevice, verity: &PartitionDevice) -> Result<Superblock, String> {
    let mut bytes = [0; SUPERBLOCK];
    let path = &verity.path;
    file::reading(path).and_then(|file| file::read_at(file, &mut bytes, 0)).about(path)?;
    Superblock::parse(&bytes, root.size, verity.size).map_err(|error| format!("{path}: {error}"))
}

/// An attribute's path in a block device's folder of sysfs.
pub fn sys(device: &str, attribute: &str) -> String {
    format!("{SYS}/{device}/{attribute}")
}

/// The number in an attribute of sysfs.
pub fn number(device: &str, name: &str) -> Result<u64, String> {
    attribute(device, name)?.parse().map_err(|error| format!("{}: {error}", sys(device, name)))
}

fn attribute(device: &str, name: &str) -> Result<String, String> {
    Ok(file::text(&sys(device, name))?.trim().to_string())
}
