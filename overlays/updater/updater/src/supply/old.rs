//! What the device has already: the running system's images, and what a cut run wrote of the new one.
//!
//! All that is made from them is compared with a signed digest, so they need not be trusted.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;

use fastcdc::v2020::StreamCDC;
use geminios_slots::Image;
use geminios_update_format::Digest;
use geminios_update_format::release::Range;
use sha2::{Digest as _, Sha256};

/// Least, average and most bytes of a chunk: those by which a publisher cuts.
pub const CHUNK: [usize; 3] = [16 << 10, 32 << 10, 128 << 10];
/// Bytes read at once.
const READ: usize = 256 << 10;

/// A disk or a file, read at a place.
pub trait ReadAt {
    /// # Errors
    /// Those of the device; the end of it.
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, at)
    }
}

/// A stretch of a disk, or a file.
pub struct OldImage {
    pub reader: Box<dyn ReadAt>,
    /// Where it begins. Bytes.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// What there is to build upon.
#[derive(Default)]
pub struct Old {
    /// Of the running system.
    pub root_hash: Option<Digest>,
    pub root: Option<OldImage>,
    pub verity: Option<OldImage>,
    pub uki: Option<OldImage>,
    /// Partitions that are being written.
    pub new_root: Option<OldImage>,
    pub new_verity: Option<OldImage>,
}

impl Old {
    pub fn image(&mut self, image: Image) -> Option<&mut OldImage> {
        match image {
            Image::Root => self.root.as_mut(),
            Image::Verity => self.verity.as_mut(),
            Image::Uki => self.uki.as_mut(),
        }
    }

    /// What was written of the new image before.
    pub fn written(&mut self, image: Image) -> Option<&mut OldImage> {
        match image {
            Image::Root => self.new_root.as_mut(),
            Image::Verity => self.new_verity.as_mut(),
            Image::Uki => None,
        }
    }
}

impl OldImage {
    /// Reads a range as a stream.
    pub fn range(&mut self, range: Range) -> impl Read + '_ {
        let size = range.length.min(self.size.saturating_sub(range.offset));
        InOrder { at: self.start + range.offset.min(self.size), left: size, image: self }
    }

    /// # Errors
    /// Those of the device; a range beyond the end.
    pub fn bytes(&mut self, range: Range) -> io::Result<Vec<u8>> {
        if range.end().is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; range.length as usize];
        self.reader.read_at(self.start + range.offset, &mut bytes)?;
        Ok(bytes)
    }

    /// The sum of its first bytes.
    ///
    /// # Errors
    /// Those of the device.
    pub fn sha256(&mut self, size: u64) -> io::Result<Digest> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; READ];
        let mut input = self.range(Range { offset: 0, length: size });
        loop {
            match input.read(&mut buffer)? {
                0 => return Ok(Digest(hasher.finalize().into())),
                count => hasher.update(&buffer[..count]),
            }
        }
    }

    /// Where it has chunks of these digests: their first bytes. It is read once from begin to end.
    ///
    /// # Errors
    /// Those of the device.
    pub fn chunks(&mut self, size: u64, wanted: &HashSet<Digest>) -> io::Result<HashMap<Digest, u64>> {
        let [min, average, max] = CHUNK;
        let mut found = HashMap::new();
        let input = self.range(Range { offset: 0, length: size });
        for chunk in StreamCDC::new(input, min, average, max) {
            let chunk = chunk.map_err(io::Error::other)?;
            let id = Digest::of(&chunk.data);
            if wanted.contains(&id) {
                found.entry(id).or_insert(chunk.offset);
            }
        }
        Ok(found)
    }
}

struct InOrder<'a> {
    image: &'a mut OldImage,
    at: u64,
    left: u64,
}

impl Read for InOrder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.left.min(buffer.len() as u64) as usize;
        if length > 0 {
            self.image.reader.read_at(self.at, &mut buffer[..length])?;
            (self.at, self.left) = (self.at + length as u64, self.left - length as u64);
        }
        Ok(length)
    }
}

/// Bytes of the root that a hash tree covers: its superblock says (cryptsetup's wiki, "DMVerity": data blocks at 72).
pub fn covered(verity: &mut OldImage) -> Option<u64> {
    let block = verity.bytes(Range { offset: 0, length: 80 }).ok()?;
    let blocks = u64::from_le_bytes(block[72..80].try_into().ok()?);
    block.starts_with(b"verity\0\0").then_some(())?;
    blocks.checked_mul(4096)
}
