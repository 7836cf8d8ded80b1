use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A run of bytes in a file: all of it, or a partition in a disk image. Reads need no lock and no shared position.
#[derive(Debug)]
pub struct Region {
    file: File,
    start: u64,
    size: u64,
}

impl Region {
    /// All of a file.
    ///
    /// # Errors
    /// Those of opening it.
    pub fn whole(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Region { file, start: 0, size })
    }

    /// `size` bytes from `start`.
    ///
    /// # Errors
    /// Those of opening it; `UnexpectedEof` if the file ends before the region does.
    pub fn part(path: &Path, start: u64, size: u64) -> io::Result<Self> {
        let whole = Region::whole(path)?;
        if start.checked_add(size).is_none_or(|end| end > whole.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Region { start, size, ..whole })
    }

    /// Bytes in the region.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Fills `buffer` with the bytes from `at`, counted from the region's start.
    ///
    /// # Errors
    /// Those of the file; `UnexpectedEof` past the end of the region.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        if at.checked_add(buffer.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.read_exact_at(buffer, self.start + at)
    }
}
