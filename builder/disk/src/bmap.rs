//! Block maps, format 2.0 of bmaptool: which bytes of an image have to be written to a disk.

use std::fmt::Write as _;

use geminios_model::Digest;

/// Bytes of a block in the map.
pub(crate) const BLOCK: u64 = 4096;

/// A run of bytes of an image, in whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub start: u64,
    pub size: u64,
}

/// Joins ranges that touch. They come in the order of the disk.
pub(crate) fn joined(ranges: &[Range]) -> Vec<Range> {
    let mut out: Vec<Range> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.start + last.size => {
                last.size = last.size.max(range.start + range.size - last.start);
            }
            _ => out.push(*range),
        }
    }
    out
}

/// The map as XML. `ranges` have the digest of their bytes.
pub(crate) fn xml(size: u64, ranges: &[(Range, Digest)]) -> String {
    let mapped: u64 = ranges.iter().map(|(range, _)| range.size / BLOCK).sum();
    let mut map = String::new();
    for (range, digest) in ranges {
        let (first, last) = (range.start / BLOCK, (range.start + range.size) / BLOCK - 1);
        let blocks = if first == last { first.to_string() } else { format!("{first}-{last}") };
        let _ = writeln!(map, "        <Range chksum=\"{digest}\"> {blocks} </Range>");
    }
    let file = |sum: &str| {
        format!(
            "<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n    \
             <ImageSize> {size} </ImageSize>\n    <BlockSize> {BLOCK} </BlockSize>\n    \
             <BlocksCount> {} </BlocksCount>\n    <MappedBlocksCount> {mapped} </MappedBlocksCount>\n    \
             <ChecksumType> sha256 </ChecksumType>\n    <BmapFileChecksum> {sum} </BmapFileChecksum>\n    \
             <BlockMap>\n{map}    </BlockMap>\n</bmap>\n",
            size.div_ceil(BLOCK)
        )
    };
    // The file's own checksum is that of the file with zeroes in its place.
    let sum = Digest::of(file(&"0".repeat(64)));
    file(&sum.to_string())
}
