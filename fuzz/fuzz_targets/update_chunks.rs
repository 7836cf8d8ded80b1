//! The chunk index. One that is read covers its image, and its frames lie within its packs.
#![no_main]

use geminios_update_format::Digest;
use geminios_update_format::release::{ChunkIndex, Image, Range, Ranges};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, u16, u8, &[u8])| {
    let (size, written, gap, bytes) = input;
    let image =
        Image { size: size.into(), sha256: Digest([0; 32]), whole: vec![], chunks: None, deltas: vec![] };
    let Ok(index) = ChunkIndex::parse(bytes, &image) else { return };
    assert_eq!(index.chunks.iter().map(|chunk| chunk.output.length).sum::<u64>(), image.size);
    let done: Ranges = [Range { offset: 0, length: written.into() }].into_iter().collect();
    for range in index.needed(&|id| id.0[0] % 2 == 0, &done, gap.into()) {
        assert!(range.range.end().is_some_and(|end| end <= range.pack.size));
        assert!(!range.chunks.is_empty());
    }
});
