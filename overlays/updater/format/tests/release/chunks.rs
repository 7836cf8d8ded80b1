//! The chunk index: its form, and what has to be fetched.

use std::collections::BTreeMap;

use geminios_update_format::Digest;
use geminios_update_format::release::{Blob, ChunkIndex, PackRange, Range, Ranges, chunk_index};
use proptest::prelude::*;

use crate::made::{chunked, digest, image};

fn shown(ranges: &[PackRange]) -> Vec<(u64, u64, u64, Vec<usize>)> {
    ranges.iter().map(|r| (r.pack.size, r.range.offset, r.range.length, r.chunks.clone())).collect()
}

#[test]
fn frames_lie_one_after_the_other() {
    let (image, bytes) = chunked();
    let index = ChunkIndex::parse(&bytes, &image).unwrap();
    let places: Vec<_> =
        index.chunks.iter().map(|c| (c.output.offset, c.pack, c.frame.offset, c.frame.length)).collect();
    assert_eq!(
        places,
        [(0, 0, 0, 200), (500, 0, 200, 100), (750, 1, 0, 50), (850, 0, 200, 100), (1100, 1, 50, 100)]
    );
}

#[test]
fn only_what_is_missing_is_fetched() {
    let (image, bytes) = chunked();
    let index = ChunkIndex::parse(&bytes, &image).unwrap();
    let nothing = Ranges::new();
    let none = |_: &Digest| false;
    let all = [(300, 0, 300, vec![0, 1]), (150, 0, 150, vec![2, 4])];
    assert_eq!(shown(&index.needed(&none, &nothing, 0)), all);
    // A chunk at hand leaves a gap, or is fetched with it.
    let c = |id: &Digest| *id == digest("c");
    assert_eq!(shown(&index.needed(&c, &nothing, 0)), [(300, 0, 300, vec![0, 1]), (150, 50, 100, vec![4])]);
    let b = |id: &Digest| *id == digest("b") || *id == digest("a");
    assert_eq!(shown(&index.needed(&b, &nothing, 0)), [(150, 0, 150, vec![2, 4])]);
    // Of a repeated chunk one place is written, the other not: its frame is still needed, once.
    let written: Ranges = [Range { offset: 0, length: 850 }].into_iter().collect();
    assert_eq!(shown(&index.needed(&none, &written, 0)), [(300, 200, 100, vec![3]), (150, 50, 100, vec![4])]);
    let written: Ranges = [Range { offset: 0, length: 1500 }].into_iter().collect();
    assert!(index.needed(&none, &written, 0).is_empty());
    // Half a chunk is none.
    let written: Ranges = [Range { offset: 0, length: 1499 }].into_iter().collect();
    assert_eq!(shown(&index.needed(&none, &written, 0)), [(150, 50, 100, vec![4])]);
}

#[test]
fn a_gap_saves_a_request() {
    let image = image("gaps", 300, 100);
    let pack = Blob { sha256: digest("pack"), size: 30 };
    let chunks = ["a", "b", "c"].map(|name| (digest(name), 100, 10));
    let index = ChunkIndex::parse(&chunk_index(&[pack], &chunks, &image).unwrap(), &image).unwrap();
    let b = |id: &Digest| *id == digest("b");
    assert_eq!(shown(&index.needed(&b, &Ranges::new(), 9)), [(30, 0, 10, vec![0]), (30, 20, 10, vec![2])]);
    assert_eq!(shown(&index.needed(&b, &Ranges::new(), 10)), [(30, 0, 30, vec![0, 2])]);
    assert_eq!(shown(&index.needed(&b, &Ranges::new(), u64::MAX)), [(30, 0, 30, vec![0, 2])]);
}

#[test]
fn what_is_refused() {
    type Chunks = Vec<(&'static str, u32, u32)>;
    let good: Chunks = vec![("a", 500, 200), ("b", 250, 100), ("c", 100, 50), ("b", 250, 0), ("d", 400, 100)];
    let changed = |at: usize, chunk| {
        let mut chunks = good.clone();
        chunks[at] = chunk;
        chunks
    };
    let cases: [(&str, Vec<u64>, Chunks); 14] = [
        ("make 1501 bytes", vec![300, 150], changed(0, ("a", 501, 200))),
        ("make 1499 bytes", vec![300, 150], changed(0, ("a", 499, 200))),
        ("0 bytes in a frame", vec![300, 150], changed(0, ("a", 0, 200))),
        ("more than 1 to 4194304", vec![300, 150], changed(0, ("a", (4 << 20) + 1, 200))),
        ("in a frame of 1526", vec![300, 150], changed(0, ("a", 500, 1526))),
        ("does not fit into its pack", vec![299, 151], good.clone()),
        ("does not fit into its pack", vec![300, 149], good.clone()),
        ("does not fit into its pack", vec![300], good.clone()),
        ("longer than their frames", vec![300, 151], good.clone()),
        ("longer than their frames", vec![300, 150, 1], good.clone()),
        ("a pack of 0 bytes", vec![300, 150, 0], good.clone()),
        ("has no frame", vec![300, 150], changed(3, ("x", 250, 0))),
        ("has two frames", vec![300, 159], changed(3, ("b", 250, 9))),
        ("has two lengths", vec![300, 150], {
            let mut c = changed(3, ("b", 249, 0));
            c[0].1 = 501;
            c
        }),
    ];
    let image = image("chunked", 1500, 700);
    for (expected, packs, chunks) in cases {
        let packs: Vec<Blob> = packs.into_iter().map(|size| Blob { sha256: digest("pack"), size }).collect();
        let chunks: Vec<_> =
            chunks.into_iter().map(|(name, length, frame)| (digest(name), length, frame)).collect();
        let error = chunk_index(&packs, &chunks, &image).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn a_cut_or_longer_index_is_refused() {
    let (image, mut bytes) = chunked();
    for cut in 0..bytes.len() {
        assert!(ChunkIndex::parse(&bytes[..cut], &image).is_err(), "{cut}");
    }
    bytes.push(0);
    assert!(ChunkIndex::parse(&bytes, &image).is_err());
    bytes.resize((8 << 20) + 1, 0);
    assert!(ChunkIndex::parse(&bytes, &image).unwrap_err().to_string().contains("longer than"));
    bytes.truncate(16);
    bytes[8..].fill(0xff);
    assert!(ChunkIndex::parse(&bytes, &image).is_err());
    bytes[8..].fill(0);
    assert!(ChunkIndex::parse(&bytes, &image).is_err());
}

proptest! {
    /// Whatever the chunks, packs and gap: every missing chunk's frame is in exactly one range, and no byte beyond the packs.
    #[test]
    fn all_that_is_missing_is_fetched(
        chunks in prop::collection::vec((0..20_u8, 1..50_u32), 1..60),
        per_pack in 1..10_usize, have: u32, done: Vec<(u16, u16)>, gap in 0..200_u64,
    ) {
        let mut seen = BTreeMap::new();
        let mut list = Vec::new();
        let mut packs: Vec<Blob> = Vec::new();
        for (name, frame) in chunks {
            let repeated = seen.insert(name, ()).is_some();
            let length = 100 + u32::from(name);
            list.push((digest(&name.to_string()), length, if repeated { 0 } else { frame }));
            match packs.last_mut() {
                _ if repeated => (),
                Some(pack) if (seen.len() - 1) % per_pack != 0 => pack.size += u64::from(frame),
                _ => packs.push(Blob { sha256: digest(&format!("pack {}", packs.len())), size: frame.into() }),
            }
        }
        let image = image("any", list.iter().map(|chunk| u64::from(chunk.1)).sum(), 100);
        let index = ChunkIndex::parse(&chunk_index(&packs, &list, &image).unwrap(), &image).unwrap();
        let have = |id: &Digest| (0..20).any(|bit| have & 1 << bit != 0 && *id == digest(&bit.to_string()));
        let done: Ranges = done.into_iter().map(|(o, l)| Range { offset: o.into(), length: l.into() }).collect();
        let ranges = index.needed(&have, &done, gap);
        for chunk in &index.chunks {
            let end = chunk.frame.offset + chunk.frame.length;
            let pack = index.packs[chunk.pack as usize];
            let within = |r: &&PackRange| r.pack == pack && r.range.offset <= chunk.frame.offset && end <= r.range.offset + r.range.length;
            let count = ranges.iter().filter(within).count();
            let missing = !have(&chunk.id) && !done.contains(chunk.output);
            prop_assert!(count == 1 || (count == 0 && !missing));
        }
        prop_assert!(ranges.iter().all(|r| r.range.offset + r.range.length <= r.pack.size && !r.chunks.is_empty()));
        if gap == 0 {
            let bytes: u64 = ranges.iter().map(|r| r.range.length).sum();
            let frames: u64 = ranges.iter().flat_map(|r| &r.chunks).map(|at| index.chunks[*at].frame.length).sum();
            prop_assert_eq!(bytes, frames);
        }
    }
}
