//! The list of an image's chunks: a blob in a compact form, since it is fetched whole.
//!
//! Numbers are little-endian. `gemchnk1`, u32 number of packs, u32 number of chunks; then each pack: its SHA-256 and u64 size
//! in bytes; then each chunk in the image's order: SHA-256 of its content, u32 length, u32 length of its zstd frame. A chunk
//! that stood before in the list has 0 there. The frames lie in the packs one after the other, in that order; no frame spans
//! two packs, and nothing else is in a pack. So the offsets need not be written.

use std::collections::BTreeSet;

use crate::digest::Digest;
use crate::error::Error;

use super::parse::packed;
use super::{Blob, Image, PIECE, Range, Ranges};

const MAGIC: &[u8; 8] = b"gemchnk1";
const HEADER: usize = 16;
const ENTRY: usize = 40;

/// Most bytes of a list, so that it and what is made of it take less than 32 MiB of memory: 8 MiB, about 200,000 chunks.
pub const INDEX: u64 = 8 << 20;

/// A chunk where it goes and where its frame lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// SHA-256 of the content.
    pub id: Digest,
    pub output: Range,
    /// Which pack.
    pub pack: u32,
    /// The zstd frame within it.
    pub frame: Range,
}

/// The checked list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkIndex {
    pub packs: Vec<Blob>,
    pub chunks: Vec<Chunk>,
}

/// A stretch of a pack to fetch with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackRange {
    pub pack: Blob,
    pub range: Range,
    /// Which chunks of the index have their frames in it and are needed, in the order of their frames.
    pub chunks: Vec<usize>,
}

impl ChunkIndex {
    /// Reads the blob of [`super::ChunkSet::index`], whose digest the caller has checked, for the image it belongs to.
    pub fn parse(bytes: &[u8], image: &Image) -> Result<Self, Error> {
        if bytes.len() as u64 > INDEX {
            return Err(Error::TooLong { file: FILE.to_owned(), limit: INDEX });
        }
        let mut input = Input(bytes);
        if input.take()? != *MAGIC {
            return Err(wrong("it does not begin with gemchnk1"));
        }
        let (packs, chunks) = (input.u32()? as usize, input.u32()? as usize);
        let expected =
            packs.checked_add(chunks).and_then(|all| all.checked_mul(ENTRY)).map(|all| all + HEADER);
        if expected != Some(bytes.len()) {
            return Err(wrong(format!(
                "{packs} packs and {chunks} chunks do not fit its {} bytes",
                bytes.len()
            )));
        }
        let mut blobs = Vec::with_capacity(packs);
        for _ in 0..packs {
            let blob = Blob { sha256: Digest(input.take()?), size: u64::from_le_bytes(input.take()?) };
            if blob.size == 0 {
                return Err(wrong("a pack of 0 bytes"));
            }
            blobs.push(blob);
        }
        let index = ChunkIndex { chunks: place(&mut input, chunks, &blobs, image.size)?, packs: blobs };
        index.repeated()
    }

    /// Gives each repeated chunk the place of its first frame. A frame of 0 bytes is only for those, and they have no other.
    fn repeated(mut self) -> Result<Self, Error> {
        let mut order: Vec<u32> = (0..self.chunks.len() as u32).collect();
        order.sort_unstable_by_key(|at| (self.chunks[*at as usize].id, *at));
        let mut first: Option<Chunk> = None;
        for at in order {
            let chunk = &mut self.chunks[at as usize];
            let known = first.filter(|first| first.id == chunk.id);
            match (known, chunk.frame.length) {
                (None, 0) => return Err(wrong(format!("chunk {} has no frame", chunk.id))),
                (None, _) => first = Some(*chunk),
                (Some(first), 0) if first.output.length == chunk.output.length => {
                    (chunk.pack, chunk.frame) = (first.pack, first.frame);
                }
                (Some(_), 0) => return Err(wrong(format!("chunk {} has two lengths", chunk.id))),
                (Some(_), _) => return Err(wrong(format!("chunk {} has two frames", chunk.id))),
            }
        }
        Ok(self)
    }

    /// What must be fetched: chunks that are not written (`done`) and not at hand (`have`). Frames that lie at most `gap` bytes
    /// apart are fetched in one request, with the gap.
    pub fn needed(&self, have: &dyn Fn(&Digest) -> bool, done: &Ranges, gap: u64) -> Vec<PackRange> {
        let missing = |(_, chunk): &(usize, &Chunk)| !done.contains(chunk.output) && !have(&chunk.id);
        let place = |(at, chunk): (usize, &Chunk)| (chunk.pack, chunk.frame.offset, at);
        let wanted: BTreeSet<(u32, u64, usize)> =
            self.chunks.iter().enumerate().filter(missing).map(place).collect();
        let mut ranges: Vec<PackRange> = Vec::new();
        let mut before = None;
        for (pack, offset, at) in wanted {
            let frame = self.chunks[at].frame;
            // A repeated chunk: the first of them brings the frame.
            if before == Some((pack, offset)) {
                continue;
            }
            before = Some((pack, offset));
            let blob = self.packs[pack as usize];
            match ranges.last_mut() {
                Some(last)
                    if last.pack == blob
                        && offset - last.range.offset <= last.range.length.saturating_add(gap) =>
                {
                    last.range.length = offset + frame.length - last.range.offset;
                    last.chunks.push(at);
                }
                _ => ranges.push(PackRange { pack: blob, range: frame, chunks: vec![at] }),
            }
        }
        ranges
    }
}

/// Reads the chunks and counts out where they lie.
fn place(input: &mut Input<'_>, count: usize, packs: &[Blob], size: u64) -> Result<Vec<Chunk>, Error> {
    let mut chunks = Vec::with_capacity(count);
    let (mut output, mut pack, mut offset) = (0, 0, 0);
    for _ in 0..count {
        let id = Digest(input.take()?);
        let (length, frame) = (u64::from(input.u32()?), u64::from(input.u32()?));
        if length == 0 || length > PIECE || frame > packed(length) {
            return Err(wrong(format!(
                "chunk {id} has {length} bytes in a frame of {frame}, more than 1 to {PIECE}"
            )));
        }
        if frame > 0 && packs.get(pack).is_some_and(|blob| blob.size == offset) {
            (pack, offset) = (pack + 1, 0);
        }
        if frame > 0 && packs.get(pack).is_none_or(|blob| blob.size - offset < frame) {
            return Err(wrong(format!("the frame of chunk {id} does not fit into its pack")));
        }
        let place = Range { offset, length: frame };
        chunks.push(Chunk { id, output: Range { offset: output, length }, pack: pack as u32, frame: place });
        (output, offset) = (output + length, offset + frame);
    }
    if output != size {
        return Err(wrong(format!("its chunks make {output} bytes, the image has {size}")));
    }
    // A list without chunks has been refused: no image is empty.
    if pack + 1 != packs.len() || packs[pack].size != offset {
        return Err(wrong("its packs are longer than their frames"));
    }
    Ok(chunks)
}

/// Writes the blob. Chunks in the image's order: content's digest, length, and length of the frame or 0 if it stood before.
/// It is read back: an image that it does not fit is an error.
pub fn chunk_index(packs: &[Blob], chunks: &[(Digest, u32, u32)], image: &Image) -> Result<Vec<u8>, Error> {
    let mut out = MAGIC.to_vec();
    // More than u32 would not be read back.
    out.extend((packs.len() as u32).to_le_bytes());
    out.extend((chunks.len() as u32).to_le_bytes());
    for pack in packs {
        out.extend(pack.sha256.0);
        out.extend(pack.size.to_le_bytes());
    }
    for (id, length, frame) in chunks {
        out.extend(id.0);
        out.extend(length.to_le_bytes());
        out.extend(frame.to_le_bytes());
    }
    ChunkIndex::parse(&out, image).map(|_| out)
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (first, rest) = self.0.split_first_chunk().ok_or_else(|| wrong("it is cut"))?;
        self.0 = rest;
        Ok(*first)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.take().map(u32::from_le_bytes)
    }
}

const FILE: &str = "chunk index";

fn wrong(reason: impl Into<String>) -> Error {
    Error::inconsistent(FILE, reason)
}
