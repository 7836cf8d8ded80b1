//! The decoder of devices, ruzstd, unpacks what is packed here, in as little memory as the format's README says.
//!
//! A prefix comes before a frame as blocks that are not packed (RFC 8878, 3.1.1.2): so it is in the window, once. Alone in its
//! program, since it measures that program's memory.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;

use geminios_release::encode::{pack, unpack};
use geminios_update_format::release::{BASE, PIECE};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

#[path = "../../../../overlays/updater/format/tests/shared/content.rs"]
mod content;

use content::content;

const MIB: usize = 1 << 20;

/// A frame's blocks: what comes after its header, which has a size of one to eight bytes and nothing else that we write.
fn blocks(frame: &[u8]) -> &[u8] {
    let descriptor = frame[4];
    assert_eq!(
        descriptor & 0b1111,
        0,
        "a checksum, a dictionary's number or a reserved bit: {descriptor:#b}"
    );
    let single = descriptor & 0b10_0000 != 0;
    let size = match descriptor >> 6 {
        0 => usize::from(single),
        flag => 1 << flag,
    };
    &frame[5 + usize::from(!single) + size..]
}

/// As a device does.
fn by_ruzstd(frame: &[u8], prefix: &[u8], length: usize) -> Vec<u8> {
    let header = |window: usize| {
        [&0xfd2f_b528_u32.to_le_bytes()[..], &[0b1110_0000], &(window as u64).to_le_bytes()].concat()
    };
    let mut decoder = FrameDecoder::new();
    // Its first window would grow by doubling and copying; a later one is made at once.
    decoder.init(&header(1)[..]).unwrap();
    decoder.init(&header(prefix.len() + length)[..]).unwrap();
    for block in prefix.chunks(128 << 10) {
        let head = ((block.len() as u32) << 3).to_le_bytes();
        let mut block = head[..3].chain(block);
        decoder.decode_blocks(&mut block, BlockDecodingStrategy::UptoBlocks(1)).unwrap();
    }
    let mut rest = blocks(frame);
    decoder.decode_blocks(&mut rest, BlockDecodingStrategy::All).unwrap();
    assert!(decoder.is_finished() && rest.is_empty());
    std::io::copy(&mut decoder.by_ref().take(prefix.len() as u64), &mut std::io::sink()).unwrap();
    let mut out = vec![0; length];
    decoder.read_exact(&mut out).unwrap();
    assert_eq!(decoder.can_collect(), 0);
    out
}

/// Most memory of this program since it was set back, in bytes, above what it had then.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let field = |name: &str| {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<usize>().unwrap() << 10
    };
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = field("VmRSS:");
    let result = work();
    (result, field("VmHWM:").saturating_sub(before))
}

#[test]
fn frames_are_unpacked_by_what_devices_have() {
    let old = content(1, BASE as usize);
    // From both ends of the prefix, with something new between, and repeats over the borders of blocks.
    let new = content(2, 300_000);
    let piece = [&old[..2 * MIB], &new, &old[old.len() - MIB..], &new[1000..]].concat();
    let full = [&piece[..], &old[5 * MIB..6 * MIB]].concat()[..PIECE as usize].to_vec();
    /// Name, content, prefix, level, most bytes of the frame.
    type Case<'a> = (&'a str, &'a [u8], &'a [u8], i32, usize);
    let cases: [Case; 9] = [
        ("no prefix", &piece, &[], 1, 1_300_000),
        ("no prefix, level 12", &new, &[], 12, 80_000),
        ("the same", &old[..100_000], &old[..100_000], 1, 100),
        ("one byte", &new[..1], &old[..1], 1, 10),
        ("a small prefix, level 12", &new, &new[150_000..], 12, 45_000),
        ("a small prefix, level 19", &new[..100_000], &new[50_000..], 19, 20_000),
        ("a prefix that is not in blocks", &piece, &old[..3 * MIB + 12_345], 3, 400_000),
        ("zeroes", &[0; 300_000], &old[..MIB], 3, 50),
        ("all that is allowed", &full, &old, 3, 100_000),
    ];
    for (name, content, prefix, level, most) in cases {
        // In other memory: zstd takes what overlaps for changed by the content, and uses it no more.
        let prefix = &prefix.to_vec();
        let frame = pack(content, prefix, level).unwrap();
        let (out, peak) = peak(|| by_ruzstd(&frame, prefix, content.len()));
        assert!(out == content, "{name}");
        assert!(frame.len() <= most, "{name}: {}", frame.len());
        assert!(unpack(&frame, prefix, content.len() as u64).unwrap() == content, "{name}");
        // The window, which is prefix and output, the output again, and the decoder's own.
        let bound = prefix.len() + 2 * content.len() + 2 * MIB;
        assert!(peak <= bound, "{name}: {peak} bytes, bound {bound}");
        eprintln!("{name}: {} bytes in {} of {}, peak {peak}", content.len(), frame.len(), prefix.len());
    }
}
