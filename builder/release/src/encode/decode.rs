//! Back to the image.

use std::io::{self, Write};

use geminios_seal::Region;
use geminios_update_format::Digest;
use geminios_update_format::release::{Blob, Piece, Range};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::encode::frame::unpack;

const BUFFER: u64 = 1 << 20;

/// SHA-256 of a region.
pub fn digest_of(region: &Region) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER as usize];
    for offset in (0..region.size()).step_by(BUFFER as usize) {
        let length = BUFFER.min(region.size() - offset) as usize;
        region.read_at(&mut buffer[..length], offset)?;
        hash.update(&buffer[..length]);
    }
    Ok(Digest(hash.finalize().into()))
}

/// Unpacks pieces in order to `out`, some at once in parallel, and gives the SHA-256 of all. `blob` brings a frame, checked. An error
/// names the piece's blob.
pub fn decode_pieces(
    pieces: &[Piece],
    old: Option<&Region>,
    blob: &(dyn Fn(&Blob) -> Result<Vec<u8>, String> + Sync),
    out: &mut dyn Write,
) -> Result<Digest, (String, String)> {
    let mut hash = Sha256::new();
    for group in pieces.chunks(rayon::current_num_threads()) {
        let unpacked: Vec<Result<Vec<u8>, String>> =
            group.par_iter().map(|piece| decode(piece, old, blob)).collect();
        for (piece, content) in group.iter().zip(unpacked) {
            let content = content.map_err(|problem| (piece.blob.path(), problem))?;
            hash.update(&content);
            out.write_all(&content).map_err(|error| (piece.blob.path(), error.to_string()))?;
        }
    }
    Ok(Digest(hash.finalize().into()))
}

fn decode(
    piece: &Piece,
    old: Option<&Region>,
    blob: &(dyn Fn(&Blob) -> Result<Vec<u8>, String> + Sync),
) -> Result<Vec<u8>, String> {
    let base = piece.base.unwrap_or(Range { offset: 0, length: 0 });
    let mut prefix = vec![0; base.length as usize];
    if let Some(old) = old.filter(|_| base.length > 0) {
        old.read_at(&mut prefix, base.offset).map_err(|error| error.to_string())?;
    }
    let content = unpack(&blob(&piece.blob)?, &prefix, piece.output.length)?;
    let seen = Digest::of(&content);
    if seen == piece.sha256 {
        return Ok(content);
    }
    Err(format!("it unpacks to bytes with SHA-256 {seen}, release.json says {}", piece.sha256))
}
