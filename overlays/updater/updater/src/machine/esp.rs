//! The EFI system partition: checked, mounted where nobody else sees it, and gone when the program ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use geminios_slots::device::Esp;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, StatVfsMountFlags};
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags, UnmountFlags};

use crate::machine::direct::Window;
use crate::machine::{Command, Commands, MachineError, Partition};

/// Where systemd-boot looks for kernels.
const KERNELS: &str = "EFI/Linux";
/// A multiple of every device's logical block.
const BLOCK: u64 = 4096;

/// Gives access to the kernels. On the device it mounts; in tests it is a folder.
pub trait OpenEsp {
    /// # Errors
    /// The file system is damaged beyond repair, or cannot be mounted.
    fn open(
        &self,
        partition: &Partition,
        writable: bool,
        commands: &dyn Commands,
    ) -> Result<Kernels, MachineError>;
}

/// The real one. A mount without a place in any tree (fsmount(2)) ends with the last descriptor of it.
#[derive(Debug)]
pub struct PrivateMount;

impl OpenEsp for PrivateMount {
    fn open(
        &self,
        partition: &Partition,
        writable: bool,
        commands: &dyn Commands,
    ) -> Result<Kernels, MachineError> {
        let node = &partition.node;
        match &partition.mounted {
            // By whoever looked into it last (an automount). Only what is in use stays.
            Some(at) if writable => {
                mount::unmount(at, UnmountFlags::NOFOLLOW)
                    .map_err(|_| MachineError::EspMounted { node: node.clone(), at: at.clone() })?;
                repair(node, commands)?;
            }
            None if writable => repair(node, commands)?,
            _ => {}
        }
        let failed = |error: io::Error| MachineError::EspMount { node: node.clone(), error };
        // One that is mounted already can only be mounted again as it is.
        let superblock_is_writable = writable || partition.mounted.is_some();
        let mount =
            private_mount(node, superblock_is_writable, writable).map_err(|error| failed(error.into()))?;
        let kernels = Kernels::open(&mount, KERNELS).map_err(failed)?;
        Ok(Kernels { _mount: Some(mount), ..kernels })
    }
}

/// What a cut left: of its errors the kernel would make the file system read-only. fsck.fat exits with 1 if it mended
/// something, and if it could not; so it is asked twice.
fn repair(node: &Path, commands: &dyn Commands) -> Result<(), MachineError> {
    // As long as it is held, nobody mounts it; and it cannot be got while it is mounted, in whichever namespace (open(2)).
    let _held = match OpenOptions::new().read(true).custom_flags(OFlags::EXCL.bits() as i32).open(node) {
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
            let (node, at) = (node.to_owned(), "a place that is not seen from here".into());
            return Err(MachineError::EspMounted { node, at });
        }
        held => held.map_err(|error| MachineError::EspMount { node: node.to_owned(), error })?,
    };
    let fsck = |how: &str| {
        let command = Command::new("fsck.fat", Duration::from_secs(300)).arg(how).arg(node);
        commands.run(&command)
    };
    let first = fsck("-a");
    if first.is_success() || (first.status == Some(1) && fsck("-n").is_success()) {
        return Ok(());
    }
    Err(MachineError::Fsck { node: node.to_owned(), outcome: first.told() })
}

fn private_mount(node: &Path, superblock_is_writable: bool, writable: bool) -> rustix::io::Result<OwnedFd> {
    let context = mount::fsopen("vfat", FsOpenFlags::FSOPEN_CLOEXEC)?;
    mount::fsconfig_set_string(context.as_fd(), "source", node)?;
    mount::fsconfig_set_string(context.as_fd(), "umask", "0077")?;
    if !superblock_is_writable {
        mount::fsconfig_set_flag(context.as_fd(), "ro")?;
    }
    mount::fsconfig_create(context.as_fd())?;
    let mut attributes = MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOSUID;
    if !writable {
        attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY;
    }
    mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// The folder with the kernels.
#[derive(Debug)]
pub struct Kernels {
    folder: OwnedFd,
    window: Window,
    /// Closed last.
    _mount: Option<OwnedFd>,
}

impl Kernels {
    /// # Errors
    /// There is no such folder.
    pub fn open(within: impl AsFd, path: impl rustix::path::Arg) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(within, path, flags, Mode::empty())?;
        Ok(Kernels { folder, window: Window::default(), _mount: None })
    }

    /// The same folder, for another reader.
    pub(super) fn again(&self) -> io::Result<Self> {
        let mount = self._mount.as_ref().map(OwnedFd::try_clone).transpose()?;
        Ok(Kernels { folder: self.folder.try_clone()?, window: Window::default(), _mount: mount })
    }

    pub(super) fn reader(&self, name: &str) -> io::Result<File> {
        self.file(name, OFlags::RDONLY)
    }

    fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(rustix::fs::openat(&self.folder, name, flags, Mode::from_raw_mode(0o600))?.into())
    }
}

impl Esp for Kernels {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            let stat = rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                files.push((name.to_owned(), stat.st_size as u64));
            }
        }
        Ok(files)
    }

    fn room(&mut self) -> io::Result<u64> {
        let room = rustix::fs::fstatvfs(&self.folder)?;
        Ok(room.f_bavail * room.f_frsize)
    }

    fn writable(&mut self) -> bool {
        rustix::fs::fstatvfs(&self.folder).is_ok_and(|room| !room.f_flag.contains(StatVfsMountFlags::RDONLY))
    }

    fn read_at(&mut self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file(name, OFlags::RDONLY)?.read_at(buffer, at)
    }

    fn read_uncached_at(&mut self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let file = self.file(name, OFlags::RDONLY | OFlags::DIRECT)?;
        self.window.read(&file, BLOCK, at, buffer)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.file(name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL).map(drop)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(name, OFlags::WRONLY)?;
        let end = file.metadata()?.len();
        file.write_all_at(bytes, end)
    }

    fn overwrite(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name, OFlags::WRONLY)?.write_all_at(bytes, at)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name, OFlags::RDONLY)?.sync_all()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())?)
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        rustix::fs::fsync(&self.folder)?;
        Ok(rustix::fs::syncfs(&self.folder)?)
    }
}
