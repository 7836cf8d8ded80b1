//! Whole images and deltas: pieces of [`PIECE`] bytes.

use geminios_model::Progress;
use geminios_seal::Region;
use geminios_update_format::Digest;
use geminios_update_format::release::{PIECE, Piece, Range};
use rayon::prelude::*;

use crate::encode::Sink;
use crate::encode::anchors::Anchors;
use crate::encode::frame::pack;
use crate::error::ReleaseError;

fn outputs(size: u64) -> Vec<Range> {
    let starts = (0..size).step_by(PIECE as usize);
    starts.map(|offset| Range { offset, length: PIECE.min(size - offset) }).collect()
}

pub(super) fn read(region: &Region, range: Range) -> Result<Vec<u8>, ReleaseError> {
    let mut bytes = vec![0; range.length as usize];
    let unreadable = |error: std::io::Error| ReleaseError::Build {
        what: "an image".to_owned(),
        problem: error.to_string(),
    };
    region.read_at(&mut bytes, range.offset).map_err(unreadable)?;
    Ok(bytes)
}

/// The image by itself.
pub fn whole(
    image: &Region,
    level: i32,
    sink: &Sink<'_>,
    (progress, stage): (&dyn Progress, &str),
) -> Result<Vec<Piece>, ReleaseError> {
    let piece = |output: Range| {
        let content = read(image, output)?;
        let blob = sink(&pack(&content, &[], level)?)?;
        progress.advance(stage, output.length);
        Ok(Piece { output, sha256: Digest::of(&content), blob, base: None })
    };
    outputs(image.size()).into_par_iter().map(piece).collect()
}

/// The image as a change of `old`. `whole` are its pieces by themselves: where one of those is no larger, it is taken, and the
/// repository has it once.
pub fn delta(
    image: &Region,
    old: &Region,
    whole: &[Piece],
    level: i32,
    sink: &Sink<'_>,
    (progress, stage): (&dyn Progress, &str),
) -> Result<Vec<Piece>, ReleaseError> {
    let anchors = Anchors::of(old)?;
    let piece = |alone: &Piece| {
        let content = read(image, alone.output)?;
        let stretch = anchors.stretch(&content, alone.output.offset, image.size());
        let base = read(old, stretch.range)?;
        let frame = pack(&content, &base, level)?;
        progress.advance(stage, alone.output.length);
        if frame.len() as u64 >= alone.blob.size {
            return Ok(Piece { base: Some(Range { offset: 0, length: 0 }), ..*alone });
        }
        Ok(Piece { blob: sink(&frame)?, base: Some(stretch.range), ..*alone })
    };
    whole.par_iter().map(piece).collect()
}
