//! Which disk the running root lies on, by what the kernel says in /sys: `/` is a dm-verity mapping, its slaves are two
//! partitions, and their parent is the disk. A second disk with the same image on it cannot be taken for it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::machine::{MachineError, Paths, io};

const ESP_LABEL: &str = "esp";

/// The disk, and its EFI system partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub disk: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Bytes of a logical block.
    pub block: u32,
    pub esp: Partition,
}

/// A partition, by its node below /dev.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub node: PathBuf,
    /// Where it is mounted already.
    pub mounted: Option<PathBuf>,
}

impl Place {
    /// # Errors
    /// The root is on no slot of a disk, or the disk has no EFI system partition.
    pub fn find(paths: &Paths) -> Result<Place, MachineError> {
        let mounts = text(&paths.at("/proc/self/mountinfo"))?;
        let root = mounts.lines().rev().map(mount).find(|(_, at)| *at == "/");
        let (root, _) = root.ok_or(MachineError::RootOnNoSlot { root: "not mounted".to_owned() })?;
        let folder = disk_of(paths, root)?;
        let number = |name: &str| -> Result<u64, MachineError> {
            let path = folder.join(name);
            let text = text(&path)?;
            text.trim().parse().map_err(|_| MachineError::Kernel { path, text })
        };
        // In sectors of 512 bytes, whatever the disk's are (Documentation/ABI/stable/sysfs-block).
        let size = number("size")? * 512;
        let block = number("queue/logical_block_size")? as u32;
        Ok(Place { disk: node(paths, &folder), size, block, esp: esp(paths, &folder, &mounts)? })
    }
}

/// `major:minor` and mount point of a line of mountinfo (proc_pid_mountinfo(5)).
fn mount(line: &str) -> (&str, &str) {
    let mut fields = line.split(' ').skip(2);
    let device = fields.next().unwrap_or("");
    (device, fields.nth(1).unwrap_or(""))
}

fn disk_of(paths: &Paths, root: &str) -> Result<PathBuf, MachineError> {
    let no_slot = || MachineError::RootOnNoSlot { root: root.to_owned() };
    let slaves = paths.at(&format!("/sys/dev/block/{root}/slaves"));
    let mut disks = Vec::new();
    for slave in fs::read_dir(&slaves).map_err(|_| no_slot())?.flatten() {
        let partition = fs::canonicalize(slave.path()).map_err(io("follow", &slave.path()))?;
        let disk = partition.parent().filter(|_| partition.join("partition").exists());
        disks.push(disk.ok_or_else(no_slot)?.to_owned());
    }
    disks.dedup();
    match &disks[..] {
        [disk] => Ok(disk.clone()),
        _ => Err(no_slot()),
    }
}

fn esp(paths: &Paths, disk: &Path, mounts: &str) -> Result<Partition, MachineError> {
    for entry in fs::read_dir(disk).map_err(io("list", disk))?.flatten() {
        let Ok(uevent) = fs::read_to_string(entry.path().join("uevent")) else { continue };
        if !uevent.lines().any(|line| line.strip_prefix("PARTNAME=") == Some(ESP_LABEL)) {
            continue;
        }
        let number = text(&entry.path().join("dev"))?;
        let mounted = mounts.lines().map(mount).find(|(device, _)| *device == number.trim());
        let mounted = mounted.map(|(_, at)| PathBuf::from(at));
        return Ok(Partition { node: node(paths, &entry.path()), mounted });
    }
    Err(MachineError::NoEsp { disk: node(paths, disk) })
}

/// The kernel writes `!` for a slash of a device's name.
fn node(paths: &Paths, folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().replace('!', "/");
    paths.at("/dev").join(name)
}

fn text(path: &Path) -> Result<String, MachineError> {
    fs::read_to_string(path).map_err(io("read", path))
}
