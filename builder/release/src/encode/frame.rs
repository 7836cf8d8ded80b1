//! One zstd frame, with or without a prefix.

use geminios_update_format::release::PIECE;
use zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter, get_error_name};

use crate::error::ReleaseError;

/// zstd's window: 2^22 is [`PIECE`]. A prefix can be reached in full, however long it is, until so many bytes are unpacked
/// (RFC 8878, 5: "Dictionary Format"), and a piece has no more.
const WINDOW_LOG: u32 = PIECE.trailing_zeros();

/// Entries of the table for long distance matches, as a power of two: enough for a prefix of 16 MiB and a piece, one entry for
/// every 2^[`LDM_RATE_LOG`] bytes.
const LDM_HASH_LOG: u32 = 20;
const LDM_RATE_LOG: u32 = 5;

/// Packs `content`. `prefix` is empty or a stretch of the old image. The two must not lie behind each other in memory: zstd would
/// take them for one, and the frame would depend on where the allocator put them.
pub fn pack(content: &[u8], prefix: &[u8], level: i32) -> Result<Vec<u8>, ReleaseError> {
    let mut context = CCtx::create();
    let mut parameters = vec![CParameter::CompressionLevel(level)];
    if !prefix.is_empty() {
        parameters.extend([
            CParameter::WindowLog(WINDOW_LOG),
            CParameter::EnableLongDistanceMatching(true),
            CParameter::LdmHashLog(LDM_HASH_LOG),
            CParameter::LdmHashRateLog(LDM_RATE_LOG),
        ]);
    }
    for parameter in parameters {
        context.set_parameter(parameter).map_err(failed)?;
    }
    if !prefix.is_empty() {
        context.ref_prefix(prefix).map_err(failed)?;
    }
    let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(content.len()));
    context.compress2(&mut out, content).map_err(failed)?;
    out.shrink_to_fit();
    Ok(out)
}

/// Unpacks a frame to exactly `length` bytes, at most [`PIECE`], as a device does.
pub fn unpack(frame: &[u8], prefix: &[u8], length: u64) -> Result<Vec<u8>, String> {
    let mut context = DCtx::create();
    let named = |code| get_error_name(code).to_owned();
    context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(named)?;
    if !prefix.is_empty() {
        context.ref_prefix(prefix).map_err(named)?;
    }
    let mut out = Vec::with_capacity(length.min(PIECE) as usize);
    let written = context.decompress(&mut out, frame).map_err(named)? as u64;
    if written == length { Ok(out) } else { Err(format!("it unpacks to {written} bytes, not {length}")) }
}

fn failed(code: usize) -> ReleaseError {
    ReleaseError::Zstd(get_error_name(code).to_owned())
}
