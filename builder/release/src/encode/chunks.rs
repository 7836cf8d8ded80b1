//! Images cut by their content.

use std::collections::HashSet;
use std::io::{self, Read};

use fastcdc::v2020::StreamCDC;
use geminios_model::Progress;
use geminios_seal::Region;
use geminios_update_format::Digest;
use geminios_update_format::release::{Blob, ChunkSet, Image, Range, chunk_index};
use rayon::prelude::*;

use crate::encode::Sink;
use crate::encode::frame::pack;
use crate::encode::pieces::read;
use crate::error::ReleaseError;

/// Sizes of chunks in bytes, as FastCDC takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub min: usize,
    pub average: usize,
    pub max: usize,
}

/// Chunks of an image. A device cuts its old image by the same sizes to know what it has.
pub const CHUNK: Sizes = Sizes { min: 16 << 10, average: 32 << 10, max: 128 << 10 };

/// A pack ends after a chunk whose digest begins with a byte below this: each 128th, so packs have about 4 MiB of content.
const PACK_END: u8 = 2;

/// Most chunks of a pack: with [`CHUNK`] at most 64 MiB, which is held in memory.
const PACK_CHUNKS: usize = 512;

/// A chunk of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub id: Digest,
    pub range: Range,
}

/// Cuts an image. Cutting goes through it once, in order; hashing is parallel.
pub fn cuts(image: &Region, sizes: Sizes) -> Result<Vec<Cut>, ReleaseError> {
    let mut ranges = Vec::new();
    for chunk in StreamCDC::new(InOrder { image, at: 0 }, sizes.min, sizes.average, sizes.max) {
        let problem = |error: fastcdc::v2020::Error| error.to_string();
        let chunk = chunk.map_err(problem);
        let chunk = chunk.map_err(|problem| ReleaseError::Build { what: "an image".to_owned(), problem })?;
        ranges.push(Range { offset: chunk.offset, length: chunk.length as u64 });
    }
    let cut = |range: Range| Ok(Cut { id: Digest::of(&read(image, range)?), range });
    ranges.into_par_iter().map(cut).collect()
}

/// All chunks in packs, and their index. `image` is the description so far, with its size.
pub fn chunks(
    region: &Region,
    image: &Image,
    level: i32,
    sink: &Sink<'_>,
    (progress, stage): (&dyn Progress, &str),
) -> Result<ChunkSet, ReleaseError> {
    let all = cuts(region, CHUNK)?;
    let mut seen = HashSet::new();
    let first: Vec<Cut> = all.iter().filter(|cut| seen.insert(cut.id)).copied().collect();
    let pack_up = |cuts: &&[Cut]| {
        let frame = |cut: &Cut| pack(&read(region, cut.range)?, &[], level);
        let frames: Vec<Vec<u8>> = cuts.iter().map(frame).collect::<Result<_, ReleaseError>>()?;
        progress.advance(stage, cuts.iter().map(|cut| cut.range.length).sum());
        Ok((sink(&frames.concat())?, frames.iter().map(|frame| frame.len() as u32).collect()))
    };
    let packed: Vec<(Blob, Vec<u32>)> =
        packs(&first).par_iter().map(pack_up).collect::<Result<_, ReleaseError>>()?;
    let (blobs, frames): (Vec<Blob>, Vec<Vec<u32>>) = packed.into_iter().unzip();
    let (mut frames, mut seen) = (frames.into_iter().flatten(), HashSet::new());
    let entry = |cut: &Cut| {
        let frame = if seen.insert(cut.id) { frames.next().unwrap_or(0) } else { 0 };
        (cut.id, cut.range.length as u32, frame)
    };
    let entries: Vec<(Digest, u32, u32)> = all.iter().map(entry).collect();
    Ok(ChunkSet { index: sink(&chunk_index(&blobs, &entries, image)?)? })
}

fn packs(cuts: &[Cut]) -> Vec<&[Cut]> {
    let ends = |cut: &Cut| cut.id.0[0] < PACK_END;
    let groups = cuts.split_inclusive(ends);
    groups.flat_map(|group| group.chunks(PACK_CHUNKS)).collect()
}

struct InOrder<'a> {
    image: &'a Region,
    at: u64,
}

impl Read for InOrder<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (self.image.size() - self.at).min(buffer.len() as u64) as usize;
        self.image.read_at(&mut buffer[..length], self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
