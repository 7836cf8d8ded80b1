//! Makes the mounted root the only one; frees the memory of the initramfs.

use alloc::format;
use alloc::string::String;

use rustix::fs::{FileType, lstat, rmdir, statfs, unlink};
use rustix::mount::mount_move;
use rustix::process::{chdir, chroot};

use crate::failure::About as _;
use crate::{file, mount};

/// `f_type` of the two file systems that an initramfs may be (linux/magic.h).
const RAMFS: u32 = 0x8584_58f6;
const TMPFS: u32 = 0x0102_1994;

/// Moves the mounts and this process into the new root.
pub fn into(root: &str) -> Result<(), String> {
    for folder in mount::to_move() {
        mount_move(folder, format!("{root}{folder}")).about(format_args!("{folder} of the image"))?;
    }
    let kind = statfs("/").about("/")?.f_type as u32;
    if [RAMFS, TMPFS].contains(&kind) {
        remove_below("", lstat("/").about("/")?.st_dev);
    }
    chdir(root).about(root)?;
    mount_move(".", "/").about("moving the root")?;
    chroot(".").about("chroot")?;
    chdir("/").about("/")
}

/// Removes what lies on the device `old`; what is mounted stays. What cannot be removed only costs memory.
fn remove_below(folder: &str, old: u64) {
    for name in file::names(&format!("{folder}/")).unwrap_or_default() {
        let path = format!("{folder}/{name}");
        match lstat(&path) {
            Ok(found) if found.st_dev != old => {}
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => {
                remove_below(&path, old);
                let _ = rmdir(&path);
            }
            _ => drop(unlink(&path)),
        }
    }
}
