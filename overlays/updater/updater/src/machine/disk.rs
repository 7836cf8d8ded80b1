//! The whole disk. Partitions are written to through it: the kernel keeps pages of a partition and of its disk apart.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use geminios_slots::device::Disk;
use rustix::fs::OFlags;

use crate::machine::direct::Window;
use crate::supply::ReadAt;

/// A block device, or a file with a disk's bytes.
#[derive(Debug)]
pub struct WholeDisk {
    file: File,
    size: u64,
    block: u32,
    window: Window,
}

impl WholeDisk {
    /// `size` in bytes, `block` bytes of a logical block.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path, size: u64, block: u32, writable: bool) -> io::Result<Self> {
        let flags = (OFlags::DIRECT | OFlags::CLOEXEC).bits() as i32;
        let file = OpenOptions::new().read(true).write(writable).custom_flags(flags).open(path)?;
        Ok(WholeDisk { file, size, block, window: Window::default() })
    }

    fn check(&self, at: u64, length: usize) -> io::Result<()> {
        match at.checked_add(length as u64) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{length} bytes at {at} go beyond the disk's {} bytes", self.size),
            )),
        }
    }
}

impl ReadAt for WholeDisk {
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_uncached_at(at, buffer)
    }
}

impl Disk for WholeDisk {
    fn size(&self) -> u64 {
        self.size
    }

    fn block_size(&self) -> u32 {
        self.block
    }

    /// There is no cache to read from.
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_uncached_at(at, buffer)
    }

    fn read_uncached_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.check(at, buffer.len())?;
        let mut done = 0;
        while done < buffer.len() {
            let (from, rest) = (at + done as u64, &mut buffer[done..]);
            match self.window.read(&self.file, u64::from(self.block), from, rest)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    }

    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.check(at, bytes.len())?;
        self.window.write(&self.file, u64::from(self.block), at, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }
}
