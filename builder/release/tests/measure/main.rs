//! Bytes, seconds and peak memory of each encoding of one image from another, on images that you name:
//!
//!     GEMINIOS_OLD=old.erofs GEMINIOS_NEW=new.erofs GEMINIOS_LEVEL=12 \
//!         cargo test --release -p geminios-release --test measure delta -- --ignored --exact --nocapture
//!
//! One way a run, since peak memory is that of the process (`VmHWM`).
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use geminios_model::Silent;
use geminios_release::encode;
use geminios_seal::Region;
use geminios_update_format::Digest;
use geminios_update_format::release::{Blob, ChunkIndex, Image, Piece, Ranges};

struct Pair {
    old: Region,
    new: Region,
    level: i32,
}

impl Pair {
    fn named() -> Self {
        let var = |name| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let region = |name| Region::whole(Path::new(&var(name))).unwrap();
        Pair {
            old: region("GEMINIOS_OLD"),
            new: region("GEMINIOS_NEW"),
            level: var("GEMINIOS_LEVEL").parse().unwrap(),
        }
    }

    fn whole(&self, level: i32) -> Vec<Piece> {
        encode::whole(&self.new, level, &|bytes| Ok(Blob::of(bytes)), (&Silent, "")).unwrap()
    }
}

fn told(way: &str, bytes: u64, start: Instant) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
    eprintln!("{way}: {bytes} bytes, {:.1} s, {peak}", start.elapsed().as_secs_f64());
}

fn packed(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.blob.size).sum()
}

#[test]
#[ignore = "measures images that are named in the environment"]
fn whole() {
    let pair = Pair::named();
    let start = Instant::now();
    told("whole", packed(&pair.whole(pair.level)), start);
}

#[test]
#[ignore = "measures images that are named in the environment"]
fn delta() {
    let pair = Pair::named();
    // A piece that is not smaller as a delta is taken alone: level 1 is enough to compare.
    let whole = pair.whole(1);
    let start = Instant::now();
    let sink = |bytes: &[u8]| Ok(Blob::of(bytes));
    let pieces = encode::delta(&pair.new, &pair.old, &whole, pair.level, &sink, (&Silent, "")).unwrap();
    told("delta", packed(&pieces), start);
    let base: u64 = pieces.iter().filter_map(|piece| piece.base).map(|base| base.length).sum();
    eprintln!("  bytes of the old image that a device reads: {base}");
}

#[test]
#[ignore = "measures images that are named in the environment"]
fn chunks() {
    let pair = Pair::named();
    let sha256 = encode::digest_of(&pair.new).unwrap();
    let image = Image { size: pair.new.size(), sha256, whole: pair.whole(1), chunks: None, deltas: vec![] };
    let index: Mutex<Vec<u8>> = Mutex::default();
    let sink = |bytes: &[u8]| {
        if bytes.starts_with(b"gemchnk1") {
            *index.lock().unwrap() = bytes.to_vec();
        }
        Ok(Blob::of(bytes))
    };
    let start = Instant::now();
    encode::chunks(&pair.new, &image, pair.level, &sink, (&Silent, "")).unwrap();
    let bytes = index.into_inner().unwrap();
    let have: HashSet<Digest> =
        encode::cuts(&pair.old, encode::CHUNK).unwrap().iter().map(|cut| cut.id).collect();
    let index = ChunkIndex::parse(&bytes, &image).unwrap();
    let needed = index.needed(&|id| have.contains(id), &Ranges::new(), 0);
    let fetched: u64 = needed.iter().map(|range| range.range.length).sum();
    told("chunks", bytes.len() as u64 + fetched, start);
    eprintln!("  index {} bytes, chunks {}, requests {}", bytes.len(), index.chunks.len(), needed.len());
}
