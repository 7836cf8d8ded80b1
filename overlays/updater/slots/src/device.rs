//! What the executor needs of a device. The updater implements it over block devices and files, tests over memory.

use std::io;

use crate::step::Image;

/// The whole disk with the partition table.
pub trait Disk {
    /// Bytes.
    fn size(&self) -> u64;
    /// Bytes of a logical block: 512 or 4096. It is the unit of the partition table.
    fn block_size(&self) -> u32;
    /// # Errors
    /// Those of the device; a range beyond its end.
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Reads what the device holds, not what the kernel remembers (O_DIRECT, or after dropping its pages).
    ///
    /// # Errors
    /// As of [`Disk::read_at`].
    fn read_uncached_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// # Errors
    /// As of [`Disk::read_at`].
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns when all that was written is on the medium (fsync, with a flush of the device's cache).
    ///
    /// # Errors
    /// Something did not reach the medium. What, nobody knows.
    fn flush(&mut self) -> io::Result<()>;
}

/// The folder EFI/Linux of the EFI system partition, checked by fsck.fat before it was mounted. Names do not tell cases
/// apart.
pub trait Esp {
    /// Names and sizes in bytes of its files.
    ///
    /// # Errors
    /// Those of the file system.
    fn list(&mut self) -> io::Result<Vec<(String, u64)>>;
    /// Bytes that new files may have.
    ///
    /// # Errors
    /// Those of the file system.
    fn room(&mut self) -> io::Result<u64>;
    /// Whether it may be written to: not if it was mounted read-only, or remounted so after an error.
    fn writable(&mut self) -> bool;
    /// Reads up to the buffer's size; 0 at the end.
    ///
    /// # Errors
    /// No such file, or those of the file system.
    fn read_at(&mut self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// The same from the medium.
    ///
    /// # Errors
    /// As of [`Esp::read_at`].
    fn read_uncached_at(&mut self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// A new, empty file.
    ///
    /// # Errors
    /// It is there already (`AlreadyExists`), or those of the file system.
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// # Errors
    /// As of [`Esp::read_at`]; no room (`StorageFull`).
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Overwrites in place; the file keeps its length and its clusters.
    ///
    /// # Errors
    /// As of [`Esp::read_at`].
    fn overwrite(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// fsync of the file.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// # Errors
    /// As of [`Esp::read_at`].
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// fsync of the folder, and of the file system (syncfs): on FAT the tables belong to no file.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_folder(&mut self) -> io::Result<()>;
}

/// The journal's file, on /var.
pub trait JournalFile {
    /// None if there is none.
    ///
    /// # Errors
    /// Those of the file system.
    fn read(&mut self) -> io::Result<Option<Vec<u8>>>;
    /// Makes the temporary file with these bytes, in place of one that is left.
    ///
    /// # Errors
    /// Those of the file system.
    fn write_temporary(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// fsync of the temporary file.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_temporary(&mut self) -> io::Result<()>;
    /// Puts the temporary file in the journal's place.
    ///
    /// # Errors
    /// Those of the file system.
    fn rename(&mut self) -> io::Result<()>;
    /// # Errors
    /// Those of the file system.
    fn sync_folder(&mut self) -> io::Result<()>;
    /// Free bytes.
    ///
    /// # Errors
    /// Those of the file system.
    fn room(&mut self) -> io::Result<u64>;
}

/// Bytes that a boot loader other than systemd-boot reads: both copies of U-Boot's environment (0 and 1), or the
/// Raspberry Pi's autoboot.txt (0).
pub trait BootBytes {
    /// # Errors
    /// Those of the device.
    fn read(&mut self, copy: usize) -> io::Result<Vec<u8>>;
    /// Overwrites in place with as many bytes.
    ///
    /// # Errors
    /// Those of the device.
    fn write(&mut self, copy: usize, bytes: &[u8]) -> io::Result<()>;
    /// # Errors
    /// Those of the device.
    fn flush(&mut self) -> io::Result<()>;
}

/// All of it.
pub trait Device {
    fn disk(&mut self) -> &mut dyn Disk;
    fn esp(&mut self) -> &mut dyn Esp;
    fn journal(&mut self) -> &mut dyn JournalFile;
    /// Bytes after which what was written is flushed and claimed in the journal: what a cut costs at most.
    fn progress(&self) -> u64 {
        crate::execute::PROGRESS
    }
    /// Seconds since 1970, for the history only.
    fn now(&self) -> Option<u64> {
        None
    }
    /// None where systemd-boot boots.
    fn boot_bytes(&mut self) -> Option<&mut dyn BootBytes> {
        None
    }
}

/// Where a release's bytes come from, each verified against the signed index before it is handed out.
pub trait Source {
    /// Some of the image's bytes from `at` on; 0 only at its end.
    ///
    /// # Errors
    /// Those of the link.
    fn read(&mut self, image: Image, at: u64, buffer: &mut [u8]) -> io::Result<usize>;
}
