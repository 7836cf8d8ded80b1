//! zstd's own library makes the frames.

use zstd::zstd_safe::{CCtx, CParameter};

use super::*;

/// Bytes that pack, and repeat far apart.
fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as u8
    };
    (0..length).map(|_| if next() < 100 { 7 } else { next() }).collect()
}

fn pack(content: &[u8], prefix: &[u8], change: &dyn Fn(&mut CCtx<'_>)) -> Vec<u8> {
    let mut context = CCtx::create();
    context.set_parameter(CParameter::CompressionLevel(3)).unwrap();
    context.set_parameter(CParameter::WindowLog(22)).unwrap();
    context.set_parameter(CParameter::EnableLongDistanceMatching(true)).unwrap();
    change(&mut context);
    if !prefix.is_empty() {
        context.ref_prefix(prefix).unwrap();
    }
    let mut out = Vec::with_capacity(content.len() + 4096);
    context.compress2(&mut out, content).unwrap();
    out
}

fn unpack(frame: &[u8], prefix: &[u8], length: u64) -> Result<Vec<u8>, String> {
    Decoder::new().unpack(frame, &mut &prefix[..], prefix.len() as u64, length)
}

/// Over the whole of a prefix of 16 MiB, in the same memory one after the other.
#[test]
fn with_prefixes_of_all_sizes() {
    let old = content(3, BASE as usize);
    let mut decoder = Decoder::new();
    for (size, prefixed) in [(1, 0), (300_000, 0), (PIECE, 0), (5000, 1), (200_000, 131_073), (PIECE, BASE)] {
        let prefix = &old[..prefixed as usize];
        let mut new = content(5, size as usize);
        // The first and the last bytes of the prefix, and others between.
        for (part, from) in [(0, 0), (1, prefixed / 2), (2, prefixed.saturating_sub(40_000))] {
            let length = (prefixed - from).min(40_000).min(size / 4) as usize;
            let at = (size as usize / 4) * part;
            new[at..at + length].copy_from_slice(&prefix[from as usize..from as usize + length]);
        }
        let frame = pack(&new, prefix, &|_| {});
        let out = decoder.unpack(&frame, &mut &prefix[..], prefixed, size).unwrap();
        assert!(out == new, "{size} bytes with a prefix of {prefixed}");
        if prefixed > 1000 {
            let mut other = prefix.to_vec();
            other.iter_mut().for_each(|byte| *byte ^= 1);
            let wrong = decoder.unpack(&frame, &mut &other[..], prefixed, size);
            assert!(wrong.map_or(true, |out| out != new), "{prefixed}: the prefix was not used");
        }
    }
}

#[test]
fn neither_more_nor_less_than_expected() {
    let new = content(1, 300_000);
    let frame = pack(&new, &[], &|_| {});
    for length in [299_999, 300_001, 0, PIECE + 1] {
        assert!(unpack(&frame, &[], length).is_err(), "{length}");
    }
    // Without its size in the header it is the content that counts.
    let unsized_frame = pack(&new, &[], &|context| {
        context.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
    });
    assert!(unpack(&unsized_frame, &[], 300_000).unwrap() == new);
    for length in [299_999, 300_001, 100] {
        assert!(unpack(&unsized_frame, &[], length).is_err(), "{length}");
    }
    let twice = [&frame[..], &frame[..]].concat();
    assert!(unpack(&twice, &[], 300_000).is_err() && unpack(&twice, &[], 600_000).is_err());
    let checked =
        pack(&new, &[], &|context| context.set_parameter(CParameter::ChecksumFlag(true)).map(drop).unwrap());
    assert!(unpack(&checked, &[], 300_000).unwrap_err().contains("descriptor"));
}

/// A few bytes that would become gigabytes: what is made is bounded by what is expected.
#[test]
fn bombs() {
    let zeroes = vec![0; 64 << 20];
    let bomb = pack(&zeroes, &[], &|context| {
        context.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
    });
    assert!(bomb.len() < 10_000);
    assert_eq!(unpack(&bomb, &[], 100_000).unwrap_err(), "it has more than 100000 bytes");
    // A header that asks for a window of 2 GiB has no effect: the window is what is expected.
    let mut wide = bomb.clone();
    wide[5] = 21 << 3;
    assert!(unpack(&wide, &[], 100_000).is_err());
}

/// No byte of it may be cut or changed into a panic.
#[test]
fn cut_and_flipped() {
    let prefix = content(9, 2000);
    let mut new = content(2, 500);
    new.extend(&prefix[500..900]);
    let frame = pack(&new, &prefix, &|_| {});
    for cut in 0..frame.len() {
        assert!(unpack(&frame[..cut], &prefix, new.len() as u64).is_err(), "cut at {cut}");
    }
    // One after the other in the same memory: what a damaged frame leaves behind must not matter.
    let mut decoder = Decoder::new();
    let mut from = |frame: &[u8]| decoder.unpack(frame, &mut &prefix[..], 2000, new.len() as u64);
    for bit in 0..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(out) = from(&flipped) {
            assert_eq!(out.len(), new.len(), "bit {bit}");
        }
    }
    assert!(from(&frame).unwrap() == new);
    for short in [0, 1, 1999] {
        let read =
            Decoder::new().unpack(&frame, &mut &prefix[..short], prefix.len() as u64, new.len() as u64);
        assert!(read.is_err(), "a prefix of {short}");
    }
}
