//! USB sticks: found by what the kernel says of them, mounted read-only where nobody else sees it, searched for releases.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::supply::{Bundle, Folder, Supply, SupplyError, Tell};

/// A bundle's name ends so.
const BUNDLE: &str = ".gemini";
/// A repository's folder on a stick.
const FOLDER: &str = "geminios";

/// The files of a stick.
#[derive(Debug)]
pub struct Stick {
    pub folder: PathBuf,
    /// For messages.
    pub name: String,
    /// The mount ends with it.
    pub mount: Option<OwnedFd>,
}

/// Finds sticks. In tests they are folders.
pub trait Sticks {
    /// Those that are plugged in and can be read; `tell` hears of the others.
    fn plugged(&self, tell: &Tell) -> Vec<Stick>;
}

/// A release's place on a stick, which stays mounted as long as it is used.
struct OnStick<T> {
    supply: T,
    name: String,
    _stick: std::rc::Rc<Stick>,
}

/// Every bundle and repository on all sticks. One that is damaged is told of and left out.
pub fn on_sticks(sticks: &dyn Sticks, tell: &Tell) -> Vec<Box<dyn Supply>> {
    let mut found: Vec<Box<dyn Supply>> = Vec::new();
    for stick in sticks.plugged(tell) {
        let stick = std::rc::Rc::new(stick);
        for file in bundles(&stick.folder) {
            let name = format!("{} on {}", file.to_string_lossy(), stick.name);
            match Bundle::open(&stick.folder.join(&file)) {
                Ok(supply) => found.push(Box::new(OnStick { supply, name, _stick: stick.clone() })),
                Err(SupplyError::Bundle { problem, .. }) => tell(&format!("{name}: {problem}")),
                Err(error) => tell(&format!("{name}: {error}")),
            }
        }
        let folder = stick.folder.join(FOLDER);
        if folder.join("metadata/timestamp.json").is_file() {
            let name = format!("{FOLDER}/ on {}", stick.name);
            found.push(Box::new(OnStick { supply: Folder::new(&folder), name, _stick: stick.clone() }));
        }
    }
    found
}

fn bundles(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let is_bundle = |name: &std::ffi::OsString| name.to_string_lossy().to_ascii_lowercase().ends_with(BUNDLE);
    let mut names: Vec<_> = files.map(|entry| entry.file_name()).filter(is_bundle).collect();
    names.sort();
    names
}

impl<T: Supply> Supply for OnStick<T> {
    fn place(&self) -> String {
        self.name.clone()
    }

    fn file(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SupplyError> {
        self.supply.file(name, most)
    }

    fn has(&mut self, want: &super::Want) -> bool {
        self.supply.has(want)
    }

    fn expect(&mut self, wants: std::collections::VecDeque<super::Want>) {
        self.supply.expect(wants);
    }

    fn stretch(&mut self, want: &super::Want) -> Result<Vec<u8>, SupplyError> {
        self.supply.stretch(want)
    }
}

/// The real ones.
#[derive(Clone, Debug)]
pub struct UsbSticks {
    /// Where `sys`, `dev` and `proc` are.
    pub root: PathBuf,
}

impl Sticks for UsbSticks {
    fn plugged(&self, tell: &Tell) -> Vec<Stick> {
        let mounts = fs::read_to_string(self.root.join("proc/self/mountinfo")).unwrap_or_default();
        let mut sticks = Vec::new();
        for name in self.partitions() {
            let node = self.root.join("dev").join(&name);
            match self.stick(&name, &node, &mounts) {
                Ok(stick) => sticks.extend(stick),
                Err(error) => tell(&format!("{} cannot be mounted: {error}", node.display())),
            }
        }
        sticks
    }
}

impl UsbSticks {
    /// Block devices that may have a file system with releases: those of removable disks, and of disks behind USB. None of a disk
    /// that another device is made of: the system runs from it.
    fn partitions(&self) -> Vec<String> {
        let block = self.root.join("sys/class/block");
        let mut names = Vec::new();
        for disk in listed(&block) {
            let path = block.join(&disk);
            let behind_usb = fs::canonicalize(&path).is_ok_and(|path| {
                path.components().any(|part| {
                    part.as_os_str()
                        .to_string_lossy()
                        .strip_prefix("usb")
                        .is_some_and(|n| n.parse::<u32>().is_ok())
                })
            });
            let removable = fs::read_to_string(path.join("removable")).is_ok_and(|text| text.trim() == "1");
            if path.join("partition").exists() || !(behind_usb || removable) {
                continue;
            }
            let parts: Vec<String> =
                listed(&path).into_iter().filter(|part| path.join(part).join("partition").exists()).collect();
            let held = |path: &Path| !listed(&path.join("holders")).is_empty();
            if held(&path) || parts.iter().any(|part| held(&path.join(part))) {
                continue;
            }
            // One without a partition table has its file system on the whole disk.
            if parts.is_empty() { names.push(disk) } else { names.extend(parts) }
        }
        names
    }

    fn stick(&self, name: &str, node: &Path, mounts: &str) -> io::Result<Option<Stick>> {
        let number = fs::read_to_string(self.root.join("sys/class/block").join(name).join("dev"))?;
        let label = node.display().to_string();
        let there = mounts.lines().find_map(|line| {
            let mut fields = line.split(' ').skip(2);
            let is_it = fields.next() == Some(number.trim());
            fields.nth(1).filter(|_| is_it)
        });
        if let Some(folder) = there {
            return Ok(Some(Stick { folder: PathBuf::from(folder), name: label, mount: None }));
        }
        let Some(kind) = file_system(node)? else { return Ok(None) };
        let mount = private_mount(node, kind)?;
        let folder = PathBuf::from(format!("/proc/self/fd/{}", mount.as_raw_fd()));
        Ok(Some(Stick { folder, name: label, mount: Some(mount) }))
    }
}

fn listed(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Which of the file systems that sticks have, by its superblock.
fn file_system(node: &Path) -> io::Result<Option<&'static str>> {
    let file = match File::open(node) {
        // A reader of cards without a card.
        Err(error) if matches!(error.raw_os_error(), Some(123 | 6)) => return Ok(None),
        file => file?,
    };
    let mut head = [0; 1088];
    if file.read_exact_at(&mut head, 0).is_err() {
        return Ok(None);
    }
    let fat = head[510..512] == [0x55, 0xaa] && (head[54..57] == *b"FAT" || head[82..87] == *b"FAT32");
    Ok(match () {
        () if head[3..11] == *b"EXFAT   " => Some("exfat"),
        () if fat => Some("vfat"),
        () if head[1080..1082] == [0x53, 0xef] => Some("ext4"),
        () => None,
    })
}

/// Without a place in any tree: it ends with its descriptor, however this program ends (fsmount(2)).
fn private_mount(node: &Path, kind: &str) -> io::Result<OwnedFd> {
    let context = mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_set_string(context.as_fd(), "source", node)?;
    mount::fsconfig_set_flag(context.as_fd(), "ro")?;
    if kind == "ext4" {
        // Else its journal would be played back, which writes.
        mount::fsconfig_set_flag(context.as_fd(), "noload")?;
    }
    mount::fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID;
    Ok(mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}
