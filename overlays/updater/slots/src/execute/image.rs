//! Streams an image into a partition.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::device::{Device, Source};
use crate::digest::Sha256Sum;
use crate::execute::{Cause, record};
use crate::journal::Event;
use crate::step::{Blob, Done, Extent, Image};

/// Bytes after which what was written is flushed and claimed in the journal.
pub const PROGRESS: u64 = 16 << 20;
/// Bytes written at once.
const PIECE: u64 = 256 << 10;

pub(super) fn write(
    image: Image,
    to: Extent,
    blob: Blob,
    claim: Option<Done>,
    device: &mut dyn Device,
    source: &mut dyn Source,
) -> Result<(), Cause> {
    let (mut hasher, mut at) = begin(to, blob, claim, device)?;
    let progress = device.progress();
    let mut unclaimed = 0;
    let mut buffer = vec![0; PIECE.min(blob.size) as usize];
    while at < blob.size {
        let piece = &mut buffer[..(blob.size - at).min(PIECE.min(progress - unclaimed)) as usize];
        if let Err(cause) = fill(image, at, piece, source) {
            // The link may be down for long, or the day's budget spent: what came until then is not to be fetched again.
            if unclaimed > 0 {
                let _ = claim_up_to(at, image, &hasher, device);
            }
            return Err(cause);
        }
        device.disk().write_at(to.start + at, piece)?;
        hasher.update(&*piece);
        at += piece.len() as u64;
        unclaimed += piece.len() as u64;
        if unclaimed >= progress || at == blob.size {
            claim_up_to(at, image, &hasher, device)?;
            unclaimed = 0;
        }
    }
    if source.read(image, at, &mut [0])? != 0 {
        return Err(Cause::Mismatch(format!(
            "the source has more than the {} bytes of the {image}",
            blob.size
        )));
    }
    let seen = Sha256Sum(hasher.finalize().into());
    if seen != blob.sha256 {
        return Err(Cause::Mismatch(format!("{image}: SHA-256 is {seen}, it should be {}", blob.sha256)));
    }
    Ok(())
}

/// Flushes, then claims in the journal.
fn claim_up_to(bytes: u64, image: Image, hasher: &Sha256, device: &mut dyn Device) -> io::Result<()> {
    device.disk().flush()?;
    let sha256 = Sha256Sum(hasher.clone().finalize().into());
    record(&Event::Progress { image, done: Done { bytes, sha256 } }, device)
}

/// Where to go on: what the journal claims counts only if the medium has it.
fn begin(
    to: Extent,
    blob: Blob,
    claim: Option<Done>,
    device: &mut dyn Device,
) -> Result<(Sha256, u64), Cause> {
    let mut hasher = Sha256::new();
    let Some(claim) = claim.filter(|claim| claim.bytes <= blob.size) else { return Ok((hasher, 0)) };
    let mut buffer = vec![0; PIECE.min(claim.bytes) as usize];
    let mut at = 0;
    while at < claim.bytes {
        let piece = &mut buffer[..(claim.bytes - at).min(PIECE) as usize];
        device.disk().read_uncached_at(to.start + at, piece)?;
        hasher.update(&*piece);
        at += piece.len() as u64;
    }
    if Sha256Sum(hasher.clone().finalize().into()) == claim.sha256 {
        return Ok((hasher, at));
    }
    Ok((Sha256::new(), 0))
}

pub(super) fn fill(image: Image, at: u64, buffer: &mut [u8], source: &mut dyn Source) -> Result<(), Cause> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(image, at + filled as u64, &mut buffer[filled..])? {
            0 => return Err(Cause::Cut { image, at: at + filled as u64 }),
            read => filled += read,
        }
    }
    Ok(())
}
