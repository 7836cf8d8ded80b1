//! The bytes of a release in order, each verified before it is handed out.
//!
//! In memory at any time: one frame, and one window of prefix and output. What was chosen is not held on to: where the old system
//! turns out to be damaged, or the server cannot send parts of files, the whole image is taken from there on.

use std::io;

use geminios_slots::Image;
use geminios_slots::device::Source;
use geminios_update_format::Digest;
use geminios_update_format::release::{self as format, Piece, Range, Release};

use crate::supply::choose::{Chosen, Way};
use crate::supply::chunked::Chunked;
use crate::supply::frame::Decoder;
use crate::supply::old::Old;
use crate::supply::{Supply, SupplyError, Tell, Want, blob};

/// Gives an installation its bytes.
pub struct Stream<'a> {
    release: &'a Release,
    chosen: Chosen,
    old: &'a mut Old,
    supply: &'a mut dyn Supply,
    tell: Tell,
    progress: Box<dyn FnMut(Image, u64, u64) + 'a>,
    decoder: Decoder,
    chunked: Option<(Image, Chunked)>,
    /// The piece that the supply was told will come next.
    next: Option<(Image, usize)>,
    current: Option<Verified>,
}

/// Bytes that are what was signed.
struct Verified {
    image: Image,
    range: Range,
    bytes: Vec<u8>,
}

/// Why a stretch could not be made.
pub(super) enum Failure {
    /// Another way may do.
    Way(String),
    Error(SupplyError),
}

impl From<SupplyError> for Failure {
    fn from(error: SupplyError) -> Self {
        match error {
            SupplyError::NoRanges(_) => Failure::Way(error.to_string()),
            error => Failure::Error(error),
        }
    }
}

impl<'a> Stream<'a> {
    /// `progress` is told of each image how many of its bytes are made, of how many.
    pub fn new(
        release: &'a Release,
        chosen: Chosen,
        old: &'a mut Old,
        supply: &'a mut dyn Supply,
        tell: Tell,
        progress: Box<dyn FnMut(Image, u64, u64) + 'a>,
    ) -> Self {
        let decoder = Decoder::new();
        let (chunked, next, current) = (None, None, None);
        Stream { release, chosen, old, supply, tell, progress, decoder, chunked, next, current }
    }

    /// Bytes from `at` on, in the place of those before.
    fn load(&mut self, image: Image, at: u64) -> Result<(), SupplyError> {
        // Before the next are made: there is room for one.
        self.current = None;
        let made = match self.make(image, at) {
            Err(Failure::Way(why)) => {
                (self.tell)(&format!("{image}: {why}; the rest is fetched whole"));
                let whole = described(self.release, image).whole.clone();
                *self.chosen.way(image) = Way::Pieces { from: None, pieces: whole };
                (self.chunked, self.next) = (None, None);
                self.make(image, at)
            }
            made => made,
        };
        match made {
            Ok(verified) => {
                let end = verified.range.offset + verified.range.length;
                (self.progress)(image, end, described(self.release, image).size);
                self.current = Some(verified);
                Ok(())
            }
            Err(Failure::Error(error)) => Err(error),
            Err(Failure::Way(problem)) => Err(SupplyError::Unpack { file: image.to_string(), problem }),
        }
    }

    fn make(&mut self, image: Image, at: u64) -> Result<Verified, Failure> {
        match self.chosen.way(image) {
            Way::Pieces { from, pieces } => {
                let number = pieces.partition_point(|piece| piece.output.offset + piece.output.length <= at);
                let (piece, from) = (pieces[number], *from);
                if self.next != Some((image, number)) {
                    self.supply.expect(pieces[number..].iter().map(|piece| Want::all(piece.blob)).collect());
                }
                self.next = Some((image, number + 1));
                self.piece(image, &piece, from.is_some())
            }
            Way::Chunks { index, local } => {
                if self.chunked.as_ref().is_none_or(|(of, _)| *of != image) {
                    let chunked =
                        Chunked::new(std::mem::take(&mut index.chunks), &index.packs, std::mem::take(local));
                    self.chunked = Some((image, chunked));
                }
                let Some((_, chunked)) = &mut self.chunked else { unreachable!() };
                let (range, bytes) = chunked.make(image, at, self.old, self.supply, &mut self.decoder)?;
                Ok(Verified { image, range, bytes })
            }
        }
    }

    fn piece(&mut self, image: Image, piece: &Piece, is_delta: bool) -> Result<Verified, Failure> {
        let frame = blob(self.supply, &piece.blob)?;
        let base = piece.base.unwrap_or(Range { offset: 0, length: 0 });
        let file = piece.blob.path();
        let unpacked = match self.old.image(image) {
            Some(there) if base.length > 0 => {
                self.decoder.unpack(&frame, &mut there.range(base), base.length, piece.output.length)
            }
            _ => self.decoder.unpack(&frame, &mut io::empty(), base.length, piece.output.length),
        };
        drop(frame);
        let based = is_delta && base.length > 0;
        let bytes = unpacked.map_err(|problem| match based {
            true => Failure::Way(format!("the running system cannot be built upon: {problem}")),
            false => Failure::Error(SupplyError::Unpack { file: file.clone(), problem }),
        })?;
        let seen = Digest::of(&bytes);
        if seen == piece.sha256 {
            return Ok(Verified { image, range: piece.output, bytes });
        }
        if based {
            return Err(Failure::Way("the running system is not as it was published".to_owned()));
        }
        let (image, offset) = (format_name(image), piece.output.offset);
        let help = "the release was published wrongly; publish it again under a new version";
        Err(SupplyError::Output { image, offset, file, seen: seen.to_string(), help }.into())
    }
}

impl Source for Stream<'_> {
    fn read(&mut self, image: Image, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if at >= described(self.release, image).size {
            return Ok(0);
        }
        let holds = |held: &Verified| {
            held.image == image && (held.range.offset..held.range.offset + held.range.length).contains(&at)
        };
        if !self.current.as_ref().is_some_and(holds) {
            self.load(image, at).map_err(io::Error::other)?;
        }
        let Some(held) = self.current.as_ref().filter(|held| holds(held)) else {
            return Err(io::Error::other(format!("{image}: nothing of it begins at {at}")));
        };
        let rest = &held.bytes[(at - held.range.offset) as usize..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

fn described(release: &Release, image: Image) -> &format::Image {
    match image {
        Image::Root => &release.root,
        Image::Verity => &release.verity,
        Image::Uki => &release.uki,
    }
}

pub(super) fn format_name(image: Image) -> &'static str {
    match image {
        Image::Root => "root",
        Image::Verity => "verity",
        Image::Uki => "uki",
    }
}
