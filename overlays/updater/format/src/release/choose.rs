//! The way with the fewest bytes still to fetch.

use std::fmt;

use crate::digest::Digest;

use super::{Blob, Image, ImageKind, PackRange, Piece, Ranges, Release};

/// What a device has of one image.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Older images that can be read from first byte to last, called as [`super::Delta::from`] says.
    pub bases: Vec<Digest>,
    /// What is written to the new slot and was verified there.
    pub done: Ranges,
    /// If the chunk index was read: what [`super::ChunkIndex::needed`] says.
    pub chunks: Option<Vec<PackRange>>,
}

/// What a device has.
#[derive(Clone, Debug, Default)]
pub struct Have {
    pub root: Held,
    pub verity: Held,
    pub uki: Held,
}

/// What to do for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All of it is written.
    Nothing,
    /// Fetch the chunk index and choose again: it is small beside what it may save.
    ReadIndex(Blob),
    /// Fetch these pieces of the whole image, or of the delta from an older one.
    Pieces { from: Option<Digest>, pieces: Vec<Piece>, bytes: u64 },
    /// Fetch these chunks; the others come from the older image.
    Chunks { ranges: Vec<PackRange>, bytes: u64 },
}

impl Choice {
    /// Bytes still to fetch, as far as is known.
    pub fn bytes(&self) -> u64 {
        match self {
            Choice::Nothing => 0,
            Choice::ReadIndex(blob) => blob.size,
            Choice::Pieces { bytes, .. } | Choice::Chunks { bytes, .. } => *bytes,
        }
    }
}

/// What to do for all images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub root: Choice,
    pub verity: Choice,
    pub uki: Choice,
}

/// Chooses for each image. Of ways that cost the same, the one that needs less of the old system.
pub fn choose(release: &Release, have: &Have) -> Plan {
    Plan {
        root: choice(&release.root, &have.root),
        verity: choice(&release.verity, &have.verity),
        uki: choice(&release.uki, &have.uki),
    }
}

fn choice(image: &Image, held: &Held) -> Choice {
    let missing = |pieces: &[Piece]| -> Vec<Piece> {
        pieces.iter().filter(|piece| !held.done.contains(piece.output)).copied().collect()
    };
    let of_pieces = |from, pieces: Vec<Piece>| {
        let bytes = pieces.iter().map(|piece| piece.blob.size).sum();
        Choice::Pieces { from, pieces, bytes }
    };
    let whole = missing(&image.whole);
    if whole.is_empty() {
        return Choice::Nothing;
    }
    let deltas = image.deltas.iter().filter(|delta| held.bases.contains(&delta.from));
    let deltas = deltas.map(|delta| of_pieces(Some(delta.from), missing(&delta.pieces)));
    let chunks = held.chunks.iter().map(|ranges| {
        let bytes = ranges.iter().map(|range| range.range.length).sum();
        Choice::Chunks { ranges: ranges.clone(), bytes }
    });
    let all = std::iter::once(of_pieces(None, whole)).chain(deltas).chain(chunks);
    // The first of those with the fewest.
    let best = all.reduce(|best, other| if other.bytes() < best.bytes() { other } else { best });
    let best = best.unwrap_or(Choice::Nothing);
    match &image.chunks {
        Some(set) if held.chunks.is_none() && worth_a_look(set.index.size, best.bytes()) => {
            Choice::ReadIndex(set.index)
        }
        _ => best,
    }
}

/// The index may turn out to be of no use: then no more than an eighth was lost.
fn worth_a_look(index: u64, best: u64) -> bool {
    index <= best / 8
}

impl Plan {
    pub fn choices(&self) -> [(ImageKind, &Choice); 3] {
        [(ImageKind::Root, &self.root), (ImageKind::Verity, &self.verity), (ImageKind::Uki, &self.uki)]
    }

    /// Bytes still to fetch, as far as is known.
    pub fn bytes(&self) -> u64 {
        self.choices().iter().map(|(_, choice)| choice.bytes()).sum()
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Nothing => f.write_str("complete"),
            Choice::ReadIndex(blob) => write!(f, "read the chunk index, {} bytes", blob.size),
            Choice::Pieces { from: None, pieces, bytes } => {
                write!(f, "whole, pieces {}, {bytes} bytes", pieces.len())
            }
            Choice::Pieces { from: Some(from), pieces, bytes } => {
                write!(f, "delta from {}, pieces {}, {bytes} bytes", &from.to_string()[..8], pieces.len())
            }
            Choice::Chunks { ranges, bytes } => {
                let chunks: usize = ranges.iter().map(|range| range.chunks.len()).sum();
                write!(f, "chunks {chunks} in requests {}, {bytes} bytes", ranges.len())
            }
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.choices().iter().try_for_each(|(kind, choice)| writeln!(f, "{}: {choice}", kind.as_str()))
    }
}
