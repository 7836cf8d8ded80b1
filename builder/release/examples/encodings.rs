//! Bytes and seconds of each encoding of one image from another: `encodings OLD NEW LEVEL [whole] [delta] [chunks]`.
//!
//! Each way that is named is run, from files as they are; peak memory is that of the process (`VmHWM`), so run one at a time.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use geminios_model::Silent;
use geminios_release::encode::{CHUNK, chunks, cuts, delta, digest_of, whole};
use geminios_seal::Region;
use geminios_update_format::Digest;
use geminios_update_format::release::{Blob, ChunkIndex, Image, Ranges};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [old, new, level, ways @ ..] = &arguments[..] else { return Err("OLD NEW LEVEL WAYS".into()) };
    let (old, new, level) = (Region::whole(Path::new(old))?, Region::whole(Path::new(new))?, level.parse()?);
    let index: Mutex<Vec<u8>> = Mutex::default();
    let sink = |bytes: &[u8]| {
        if bytes.starts_with(b"gemchnk1") {
            *index.lock().map_err(|error| geminios_release::ReleaseError::Zstd(error.to_string()))? =
                bytes.to_vec();
        }
        Ok(Blob::of(bytes))
    };
    let done = |way: &str, bytes: u64, start: Instant| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
        println!("{way}: {bytes} bytes, {:.1} s, {peak}", start.elapsed().as_secs_f64());
    };
    let size = new.size();
    let wanted = |way: &str| ways.iter().any(|own| own == way);
    let start = Instant::now();
    // A delta falls back to pieces by themselves: level 1 is enough to compare the deltas.
    let pieces = whole(&new, if wanted("whole") { level } else { 1 }, &sink, (&Silent, ""))?;
    if wanted("whole") {
        done("whole", pieces.iter().map(|piece| piece.blob.size).sum(), start);
    }
    if wanted("delta") {
        let start = Instant::now();
        let pieces = delta(&new, &old, &pieces, level, &sink, (&Silent, ""))?;
        done("delta", pieces.iter().map(|piece| piece.blob.size).sum(), start);
        let base: u64 = pieces.iter().filter_map(|piece| piece.base).map(|base| base.length).sum();
        println!("  bytes of the old image that a device reads: {base}");
    }
    if wanted("chunks") {
        let start = Instant::now();
        let image = Image { size, sha256: digest_of(&new)?, whole: pieces, chunks: None, deltas: vec![] };
        chunks(&new, &image, level, &sink, (&Silent, ""))?;
        let bytes = index.into_inner()?;
        let have: HashSet<Digest> = cuts(&old, CHUNK)?.iter().map(|cut| cut.id).collect();
        let index = ChunkIndex::parse(&bytes, &image)?;
        let needed = index.needed(&|id| have.contains(id), &Ranges::new(), 0);
        let fetched: u64 = needed.iter().map(|range| range.range.length).sum();
        done("chunks", bytes.len() as u64 + fetched, start);
        println!("  index {} bytes, {} chunks, {} requests", bytes.len(), index.chunks.len(), needed.len());
    }
    Ok(())
}
