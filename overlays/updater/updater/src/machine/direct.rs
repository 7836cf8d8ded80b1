//! Reads and writes past the page cache (O_DIRECT). What is read is what the device holds, and an image of hundreds of MB
//! pushes nothing else out of memory.
//!
//! Offsets, lengths and the buffer's address have to be multiples of the device's logical block (open(2), "O_DIRECT").

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// A multiple of every device's logical block.
const ALIGNMENT: usize = 4096;
/// Bytes that are moved at once.
const WINDOW: usize = 256 << 10;

/// Memory that begins at a multiple of [`ALIGNMENT`].
#[derive(Debug)]
pub struct Window {
    bytes: Vec<u8>,
    start: usize,
}

impl Default for Window {
    fn default() -> Self {
        let bytes = vec![0; WINDOW + ALIGNMENT];
        let start = bytes.as_ptr().addr().next_multiple_of(ALIGNMENT) - bytes.as_ptr().addr();
        Window { bytes, start }
    }
}

impl Window {
    fn first(&mut self, length: usize) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + length]
    }

    /// Reads up to the buffer's size from any place of a file that was opened with O_DIRECT; 0 at its end.
    ///
    /// # Errors
    /// Those of the device.
    pub fn read(&mut self, file: &File, block: u64, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let (from, skip) = (at - at % block, (at % block) as usize);
        let length = (skip + buffer.len()).next_multiple_of(block as usize).min(WINDOW);
        let window = self.first(length);
        let read = file.read_at(window, from)?;
        let got = read.saturating_sub(skip).min(buffer.len());
        buffer[..got].copy_from_slice(&window[skip..skip + got]);
        Ok(got)
    }

    /// Writes all bytes to any place of a device. A block that is written in part is read first.
    ///
    /// # Errors
    /// Those of the device.
    pub fn write(&mut self, file: &File, block: u64, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (from, skip) = (at - at % block, (at % block) as usize);
            let size = bytes.len().min(WINDOW - skip);
            let length = (skip + size).next_multiple_of(block as usize);
            let window = self.first(length);
            if skip != 0 || length != skip + size {
                file.read_exact_at(window, from)?;
            }
            window[skip..skip + size].copy_from_slice(&bytes[..size]);
            file.write_all_at(window, from)?;
            (at, bytes) = (at + size as u64, &bytes[size..]);
        }
        Ok(())
    }
}
