//! Which stretch of the old image a piece is packed against.

use std::collections::HashMap;

use fastcdc::v2020::FastCDC;
use geminios_seal::Region;
use geminios_update_format::Digest;
use geminios_update_format::release::{BASE, Range};

use crate::encode::chunks::{Cut, Sizes, cuts};
use crate::error::ReleaseError;

/// Small, since programs that were built anew have equal code only in short runs.
const ANCHOR: Sizes = Sizes { min: 512, average: 2048, max: 8192 };

/// Content that stands in more places than this says nothing of where a piece came from: zeroes, tables.
const PLACES: usize = 8;

/// Bytes on each side of what is shared, for what is nearly the same.
const MARGIN: u64 = 256 << 10;

/// Where an old image has which content.
pub struct Anchors {
    places: HashMap<Digest, Vec<u64>>,
    size: u64,
}

/// A stretch of an old image for one piece.
///
/// The device must hold it in memory, so it has at most 16 MiB ([`BASE`]), against one window over the whole old image on a host
/// with memory for it. What is lost is content of one piece that comes from places further apart than that. The example
/// `encodings` measures it against `zstd --patch-from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub range: Range,
    /// Bytes of the piece whose content stands in it, as far as anchors tell.
    pub shared: u64,
}

impl Anchors {
    pub fn of(old: &Region) -> Result<Self, ReleaseError> {
        let mut places: HashMap<Digest, Vec<u64>> = HashMap::new();
        for Cut { id, range } in cuts(old, ANCHOR)? {
            places.entry(id).or_default().push(range.offset);
        }
        places.retain(|_, offsets| offsets.len() <= PLACES);
        Ok(Anchors { places, size: old.size() })
    }

    /// The best stretch for a piece that stands at `offset` in an image of `size` bytes.
    ///
    /// All places of its content in the old image, in order; of all stretches of [`BASE`] bytes the one that has most of it, and of
    /// equal ones the one nearest to where the piece stands. If nearly all is found, no more than that is taken, so that a device
    /// reads less.
    pub fn stretch(&self, piece: &[u8], offset: u64, size: u64) -> Stretch {
        let mut found: Vec<(u64, u64)> = Vec::new();
        for chunk in FastCDC::new(piece, ANCHOR.min, ANCHOR.average, ANCHOR.max) {
            let id = Digest::of(&piece[chunk.offset..chunk.offset + chunk.length]);
            let places = self.places.get(&id).map_or(&[][..], Vec::as_slice);
            found.extend(places.iter().map(|place| (*place, chunk.length as u64)));
        }
        found.sort_unstable();
        // Where the piece would stand if the image had only been stretched.
        let expected = (u128::from(offset) * u128::from(self.size) / u128::from(size.max(1))) as u64;
        let Some((first, last, shared)) = densest(&found, expected) else {
            return Stretch { range: self.around(expected, expected + piece.len() as u64, BASE), shared: 0 };
        };
        let span = last - first;
        let room = if shared >= piece.len() as u64 / 16 * 15 { span + 2 * MARGIN } else { BASE };
        Stretch { range: self.around(first, last, room.min(BASE)), shared }
    }

    /// `room` bytes with `first..last` in their middle, within the old image.
    fn around(&self, first: u64, last: u64, room: u64) -> Range {
        let room = room.min(self.size);
        let before = room.saturating_sub(last - first) / 2;
        let offset = first.saturating_sub(before).min(self.size - room);
        Range { offset, length: room }
    }
}

/// Start, end and shared bytes of the stretch of at most [`BASE`] bytes with the most content.
fn densest(found: &[(u64, u64)], expected: u64) -> Option<(u64, u64, u64)> {
    let (mut from, mut sum) = (0, 0);
    let mut best: Option<(u64, u64, u64)> = None;
    for (place, length) in found {
        sum += length;
        while place + length - found[from].0 > BASE {
            sum -= found[from].1;
            from += 1;
        }
        let this = (found[from].0, place + length, sum);
        let far = |(start, end, _): (u64, u64, u64)| (start / 2 + end / 2).abs_diff(expected);
        let better = best.is_none_or(|best| this.2 > best.2 || this.2 == best.2 && far(this) < far(best));
        if better {
            best = Some(this);
        }
    }
    best
}
