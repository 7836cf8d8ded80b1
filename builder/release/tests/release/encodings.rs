//! Each encoding gives the image back, in the same bytes from any number of jobs, and as few as it should.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use geminios_model::Silent;
use geminios_release::encode::{Anchors, chunks, decode_pieces, delta, pack, unpack, whole};
use geminios_seal::Region;
use geminios_update_format::Digest;
use geminios_update_format::release::{BASE, Blob, ChunkIndex, Image, PIECE, Ranges};

use crate::made::{changed, content, scratch};

type Blobs = BTreeMap<Blob, Vec<u8>>;

fn file(dir: &Path, name: &str, bytes: &[u8]) -> Region {
    let path: PathBuf = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    Region::whole(&path).unwrap()
}

/// The image by all ways, and the blobs.
fn encoded(
    new: &Region,
    old: &Region,
    sha256: Digest,
    jobs: usize,
) -> (Image, Vec<geminios_update_format::release::Piece>, Blobs) {
    let blobs = Mutex::new(Blobs::new());
    let sink = |bytes: &[u8]| {
        blobs.lock().unwrap().insert(Blob::of(bytes), bytes.to_vec());
        Ok(Blob::of(bytes))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build().unwrap();
    let (image, pieces) = pool.install(|| {
        let whole = whole(new, 3, &sink, (&Silent, "")).unwrap();
        let pieces = delta(new, old, &whole, 3, &sink, (&Silent, "")).unwrap();
        let mut image = Image { size: new.size(), sha256, whole, chunks: None, deltas: vec![] };
        image.chunks = Some(chunks(new, &image, 3, &sink, (&Silent, "")).unwrap());
        (image, pieces)
    });
    (image, pieces, blobs.into_inner().unwrap())
}

#[test]
fn every_way_gives_the_image_from_any_number_of_jobs() {
    let dir = scratch();
    let old_bytes = content(5, 5 << 20);
    let new_bytes = changed(&old_bytes);
    let cases = [
        ("changed", new_bytes.clone()),
        ("the same", old_bytes.clone()),
        ("other", content(6, 1 << 20)),
        ("moved", [&old_bytes[3 << 20..], &old_bytes[..3 << 20]].concat()),
        ("shorter", old_bytes[..4096].to_vec()),
        ("repeated", [&old_bytes[..1 << 19], &old_bytes[..1 << 19], &[0; 1 << 19]].concat()),
    ];
    let old = file(dir.path(), "old", &old_bytes);
    for (name, bytes) in cases {
        let new = file(dir.path(), "new", &bytes);
        let (image, pieces, blobs) = encoded(&new, &old, Digest::of(&bytes), 1);
        let again = encoded(&new, &old, Digest::of(&bytes), 5);
        assert!((&image, &pieces, &blobs) == (&again.0, &again.1, &again.2), "{name}");

        let blob = |blob: &Blob| Ok(blobs[blob].clone());
        for (pieces, old) in [(&image.whole, None), (&pieces, Some(&old))] {
            let mut out = Vec::new();
            let digest = decode_pieces(pieces, old, &blob, &mut out).unwrap();
            assert!(out == bytes && digest == image.sha256, "{name}");
        }
        let index = &blobs[&image.chunks.as_ref().unwrap().index];
        let index = ChunkIndex::parse(index, &image).unwrap();
        let mut out = Vec::new();
        for chunk in &index.chunks {
            let pack = &blobs[&index.packs[chunk.pack as usize]];
            let frame = &pack[chunk.frame.offset as usize..][..chunk.frame.length as usize];
            out.extend(unpack(frame, &[], chunk.output.length).unwrap());
        }
        assert!(out == bytes, "{name}");
    }
}

#[test]
fn a_small_change_costs_little() {
    let dir = scratch();
    let old_bytes = content(5, 6 << 20);
    let new_bytes = changed(&old_bytes);
    let (old, new) = (file(dir.path(), "old", &old_bytes), file(dir.path(), "new", &new_bytes));
    let (image, pieces, blobs) = encoded(&new, &old, Digest::of(&new_bytes), 2);
    let whole: u64 = image.whole.iter().map(|piece| piece.blob.size).sum();
    let delta: u64 = pieces.iter().map(|piece| piece.blob.size).sum();
    // 45,000 bytes are new, and pack to a third at best.
    assert!(delta < 60_000 && whole > 1_000_000, "{delta} of {whole}");

    let of =
        |region: &Region| geminios_release::encode::cuts(region, geminios_release::encode::CHUNK).unwrap();
    let have: Vec<Digest> = of(&old).iter().map(|cut| cut.id).collect();
    let index = ChunkIndex::parse(&blobs[&image.chunks.as_ref().unwrap().index], &image).unwrap();
    let needed = index.needed(&|id| have.contains(id), &Ranges::new(), 0);
    let fetched: u64 = needed.iter().map(|range| range.range.length).sum();
    assert!(fetched < 400_000, "{fetched} bytes of chunks");
}

/// The stretch follows what moved, far beyond its own size.
#[test]
fn the_stretch_is_where_the_content_was() {
    let dir = scratch();
    let moved = content(9, PIECE as usize);
    let old_bytes = [content(10, 24 << 20), moved.clone(), content(11, 20 << 20)].concat();
    let old = file(dir.path(), "old", &old_bytes);
    let stretch = Anchors::of(&old).unwrap().stretch(&moved, 0, old.size());
    let end = stretch.range.offset + stretch.range.length;
    assert!(stretch.range.offset <= 24 << 20 && end >= (24 << 20) + PIECE, "{stretch:?}");
    // All was found: no more is read than that and a margin.
    assert!(stretch.range.length < PIECE + (1 << 20) && stretch.shared > PIECE / 16 * 15, "{stretch:?}");
    let frame = pack(&moved, &old_bytes[stretch.range.offset as usize..end as usize], 3).unwrap();
    assert!(frame.len() < 10_000, "{}", frame.len());

    let foreign = Anchors::of(&old).unwrap().stretch(&content(12, PIECE as usize), 20 << 20, old.size());
    assert_eq!((foreign.shared, foreign.range.length), (0, BASE));
    assert!(foreign.range.offset < 20 << 20 && foreign.range.offset + BASE > 24 << 20, "{foreign:?}");
}

/// The whole prefix can be reached, although zstd's window is no larger than a piece.
#[test]
fn a_prefix_of_16_mib_is_used_from_its_first_byte() {
    let prefix = content(21, BASE as usize);
    let piece = [&prefix[..2 << 20], &prefix[prefix.len() - (2 << 20)..]].concat();
    for level in [1, 3] {
        let frame = pack(&piece, &prefix, level).unwrap();
        assert!(frame.len() < 20_000, "level {level}: {}", frame.len());
        assert!(unpack(&frame, &prefix, PIECE).unwrap() == piece);
    }
    assert!(unpack(&pack(&piece, &prefix, 3).unwrap(), &prefix, PIECE - 1).is_err());
}
