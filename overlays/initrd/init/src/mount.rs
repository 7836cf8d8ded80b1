//! Mounts: the kernel's file systems, the root, the machine-id over the image's empty file.

use core::ffi::CStr;

use alloc::format;
use alloc::string::String;

use rustix::fs::{Access, Mode, access, lstat, mkdir};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind, mount_remount};

use crate::failure::About as _;
use crate::file;
use crate::identity::MachineId;

const SAFE: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// File systems that the new root takes over: folder, type, flags, options.
/// The same as systemd's own (src/shared/mount-setup.c), which keeps what it finds mounted.
const KERNEL: [(&str, &str, MountFlags, &CStr); 4] = [
    ("/dev", "devtmpfs", MountFlags::NOSUID, c"mode=0755,size=4m,nr_inodes=64k"),
    ("/proc", "proc", SAFE, c""),
    ("/sys", "sysfs", SAFE, c""),
    ("/run", "tmpfs", MountFlags::NOSUID.union(MountFlags::NODEV), c"mode=0755,size=20%,nr_inodes=800k"),
];

/// Folders whose mounts move into the new root.
pub fn to_move() -> impl Iterator<Item = &'static str> {
    KERNEL.iter().map(|(folder, ..)| *folder)
}

/// Mounts /dev, /proc, /sys and /run.
pub fn kernel_file_systems() -> Result<(), String> {
    for (folder, kind, flags, options) in KERNEL {
        make_folder(folder)?;
        mount(kind, folder, kind, flags, options).about(format_args!("{kind} on {folder}"))?;
    }
    Ok(())
}

/// A panic must end in a reboot, or the boot counter never falls. `panic=` on the command line wins.
pub fn reboot_after_panic() {
    const TIMEOUT: &str = "/proc/sys/kernel/panic";
    if file::text(TIMEOUT).is_ok_and(|seconds| seconds.trim() == "0") {
        // Without it only the watchdog is left; that is no reason not to boot.
        let _ = file::put(TIMEOUT, "10", 0o644);
    }
}

/// Mounts the mapped root.
pub fn root(device: &str, at: &str) -> Result<(), String> {
    make_folder(at)?;
    mount(device, at, "erofs", MountFlags::RDONLY, c"").about(format_args!("{device} as erofs"))?;
    // Reads the root folder, and that it is one of ours.
    lstat(format!("{at}/sbin/init")).map(drop).about("/sbin/init of the image")
}

/// Shows the device's identity in place of the image's empty /etc/machine-id.
pub fn machine_id(root: &str, id: &MachineId) -> Result<(), String> {
    const FILE: &str = "/run/machine-id";
    let over = format!("{root}/etc/machine-id");
    access(over.as_str(), Access::EXISTS).about("/etc/machine-id of the image")?;
    file::put(FILE, &format!("{id}\n"), 0o444)?;
    mount_bind(FILE, &over).about(format_args!("{FILE} over /etc/machine-id"))?;
    // A bind mount takes no flags of its own before a remount (mount(2)).
    mount_remount(&over, MountFlags::BIND | MountFlags::RDONLY | SAFE, c"").about("/etc/machine-id read-only")
}

fn make_folder(path: &str) -> Result<(), String> {
    match mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).about(path),
    }
}
