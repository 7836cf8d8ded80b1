//! One zstd frame (RFC 8878) to bytes of a known number and nothing more, with or without a prefix.
//!
//! The decoder would hold a prefix twice. So the frame gets another header, and the prefix comes first, as blocks that are not
//! packed: what refers back into it finds it in the window. Such blocks leave the repeated offsets and tables as they are, so
//! the frame unpacks as with `ZSTD_DCtx_refPrefix`. The memory is one window: prefix and output.

use std::io::{self, Read};

use geminios_update_format::release::{BASE, PIECE};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();
/// Most bytes of a block (RFC 8878, 3.1.1.2.4).
const BLOCK: u64 = 128 << 10;

/// Unpacks one frame after the other in the same memory.
pub struct Decoder(FrameDecoder);

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    pub fn new() -> Self {
        let mut decoder = FrameDecoder::new();
        // Its first window would grow by doubling and copying. Those after it are made at once.
        let _ = decoder.init(&header(1)[..]);
        Decoder(decoder)
    }

    /// `prefix` gives `prefixed` bytes of the old image.
    ///
    /// # Errors
    /// The frame is damaged, or unpacks to more or less than `length` bytes; the prefix cannot be read.
    pub fn unpack(
        &mut self,
        frame: &[u8],
        prefix: &mut dyn Read,
        prefixed: u64,
        length: u64,
    ) -> Result<Vec<u8>, String> {
        if length > PIECE || prefixed > BASE {
            return Err(format!("{length} bytes with a prefix of {prefixed} are more than it may have"));
        }
        let blocks = blocks_of(frame, length)?;
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        self.0.init(&header(prefixed + length)[..]).map_err(|error| failed(&error))?;
        self.put_prefix(prefix, prefixed)?;
        let mut input = blocks;
        while !self.0.is_finished() {
            self.0
                .decode_blocks(&mut input, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| failed(&error))?;
            // Nothing leaves the window before the end, unless there is more than fits.
            if self.0.can_collect() > 0 && !self.0.is_finished() {
                return Err(format!("it has more than {length} bytes"));
            }
        }
        self.take(prefixed, length, input)
    }

    fn put_prefix(&mut self, prefix: &mut dyn Read, prefixed: u64) -> Result<(), String> {
        let mut left = prefixed;
        while left > 0 {
            let size = left.min(BLOCK);
            let head = (size << 3).to_le_bytes();
            let mut block = Read::chain(&head[..3], Read::take(&mut *prefix, size));
            self.0
                .decode_blocks(&mut block, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| format!("the old image: {error}"))?;
            left -= size;
        }
        Ok(())
    }

    fn take(&mut self, prefixed: u64, length: u64, rest: &[u8]) -> Result<Vec<u8>, String> {
        let seen = (self.0.can_collect() as u64).saturating_sub(prefixed);
        if seen != length || !rest.is_empty() {
            return Err(format!("it has {seen} bytes and {} after its end, expected {length}", rest.len()));
        }
        let failed = |error: io::Error| error.to_string();
        io::copy(&mut Read::take(&mut self.0, prefixed), &mut io::sink()).map_err(failed)?;
        let mut out = vec![0; length as usize];
        self.0.read_exact(&mut out).map_err(failed)?;
        Ok(out)
    }
}

/// Single segment, so that the window is all of it; eight bytes of size.
fn header(size: u64) -> [u8; 13] {
    let mut header = [0; 13];
    header[..4].copy_from_slice(&MAGIC);
    header[4] = 0b1110_0000;
    header[5..].copy_from_slice(&size.to_le_bytes());
    header
}

/// What comes after a frame's own header, if that says nothing but the expected size (RFC 8878, 3.1.1.1).
fn blocks_of(frame: &[u8], length: u64) -> Result<&[u8], String> {
    let cut = || "its header is cut".to_owned();
    let rest = frame.strip_prefix(&MAGIC).ok_or("it is no zstd frame")?;
    let (&descriptor, rest) = rest.split_first().ok_or_else(cut)?;
    let single = descriptor & 0b10_0000 != 0;
    // No dictionary, no checksum, no reserved bit.
    if descriptor & 0b1_1111 & !0b1_0000 != 0 {
        return Err(format!("its header has the descriptor {descriptor:#04x}, which no publisher writes"));
    }
    let rest = if single { rest } else { rest.get(1..).ok_or_else(cut)? };
    let width = match descriptor >> 6 {
        0 => usize::from(single),
        flag => 1 << flag,
    };
    let (size, blocks) = rest.split_at_checked(width).ok_or_else(cut)?;
    let seen = size.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let seen = if width == 2 { seen + 256 } else { seen };
    if width > 0 && seen != length {
        return Err(format!("its header says {seen} bytes, expected {length}"));
    }
    Ok(blocks)
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
