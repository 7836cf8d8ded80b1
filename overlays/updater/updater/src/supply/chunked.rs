//! An image made of chunks: those that the old image has, those that are fetched, and those that stood before.

use std::collections::{HashMap, VecDeque};

use geminios_slots::Image;
use geminios_update_format::Digest;
use geminios_update_format::release::{Blob, Chunk, Range};

use crate::supply::choose::GAP;
use crate::supply::frame::Decoder;
use crate::supply::old::Old;
use crate::supply::stream::{Failure, format_name};
use crate::supply::{Supply, SupplyError, Want};

/// Most bytes of packs that are fetched and held at once.
const HELD: u64 = 1 << 20;

/// Where each chunk comes from.
pub struct Chunked {
    chunks: Vec<Chunk>,
    packs: Vec<Blob>,
    local: HashMap<Digest, u64>,
    /// Chunks that bring their frame, in the order of their frames, which is that of the image.
    first: Vec<usize>,
    /// What the supply was told of, in order.
    wanted: VecDeque<Want>,
    held: Option<(Want, Vec<u8>)>,
}

impl Chunked {
    pub fn new(chunks: Vec<Chunk>, packs: &[Blob], local: HashMap<Digest, u64>) -> Self {
        let mut first: Vec<usize> = Vec::new();
        for (at, chunk) in chunks.iter().enumerate() {
            let last = first.last().map(|last| place(&chunks[*last]));
            if last.is_none_or(|last| last < place(chunk)) {
                first.push(at);
            }
        }
        let (packs, wanted, held) = (packs.to_vec(), VecDeque::new(), None);
        Chunked { chunks, packs, local, first, wanted, held }
    }

    /// The chunk that has the byte at `at`.
    pub fn make(
        &mut self,
        image: Image,
        at: u64,
        old: &mut Old,
        supply: &mut dyn Supply,
        decoder: &mut Decoder,
    ) -> Result<(Range, Vec<u8>), Failure> {
        let number = self.chunks.partition_point(|chunk| chunk.output.offset + chunk.output.length <= at);
        let chunk = self.chunks[number];
        let bytes = match self.at_hand(image, number, old) {
            Some(bytes) => bytes,
            None => self.fetch(image, number, supply, decoder)?,
        };
        Ok((chunk.output, bytes))
    }

    /// From the old image, or from what was written before. None if neither has it as it should be.
    fn at_hand(&mut self, image: Image, number: usize, old: &mut Old) -> Option<Vec<u8>> {
        let chunk = self.chunks[number];
        let is_it = |bytes: &Vec<u8>| Digest::of(bytes) == chunk.id;
        if let Some(offset) = self.local.get(&chunk.id) {
            let range = Range { offset: *offset, length: chunk.output.length };
            let bytes = old.image(image).and_then(|there| there.bytes(range).ok()).filter(is_it);
            if bytes.is_some() {
                return bytes;
            }
            self.local.remove(&chunk.id);
        }
        let first = self.first_of(&chunk).filter(|first| *first < number)?;
        let before = self.chunks[first].output;
        old.written(image).and_then(|there| there.bytes(before).ok()).filter(is_it)
    }

    fn first_of(&self, chunk: &Chunk) -> Option<usize> {
        let of = |first: &usize| place(&self.chunks[*first]);
        self.first.binary_search_by_key(&place(chunk), of).ok().map(|at| self.first[at])
    }

    fn fetch(
        &mut self,
        image: Image,
        number: usize,
        supply: &mut dyn Supply,
        decoder: &mut Decoder,
    ) -> Result<Vec<u8>, Failure> {
        let chunk = self.chunks[number];
        let pack = self.packs[chunk.pack as usize];
        let has = |(want, _): &(Want, Vec<u8>)| want.blob == pack && inside(chunk.frame, want.range);
        let mut fresh = false;
        if !self.held.as_ref().is_some_and(has) {
            self.get(number, supply)?;
            fresh = true;
        }
        loop {
            let problem = match self.unpack(&chunk, decoder) {
                Ok(bytes) => return Ok(bytes),
                Err(problem) => problem,
            };
            // A link may flip bits: once more, and then it is the server.
            if !fresh {
                let file = pack.path();
                let problem = format!("chunk {} of the {}: {problem}", chunk.id, format_name(image));
                return Err(SupplyError::Unpack { file, problem }.into());
            }
            fresh = false;
            self.wanted.clear();
            self.get(number, supply)?;
        }
    }

    fn unpack(&self, chunk: &Chunk, decoder: &mut Decoder) -> Result<Vec<u8>, String> {
        let (want, bytes) = self.held.as_ref().ok_or("nothing was fetched")?;
        let from = (chunk.frame.offset - want.range.offset) as usize;
        let frame = bytes.get(from..from + chunk.frame.length as usize).ok_or("it is cut")?;
        let bytes = decoder.unpack(frame, &mut std::io::empty(), 0, chunk.output.length)?;
        let seen = Digest::of(&bytes);
        if seen == chunk.id { Ok(bytes) } else { Err(format!("its SHA-256 is {seen}")) }
    }

    /// Brings the stretch of a pack with this chunk's frame, and others that are needed after it.
    fn get(&mut self, number: usize, supply: &mut dyn Supply) -> Result<(), SupplyError> {
        self.held = None;
        let chunk = self.chunks[number];
        let pack = self.packs[chunk.pack as usize];
        let has = |want: &Want| want.blob == pack && inside(chunk.frame, want.range);
        if !self.wanted.front().is_some_and(has) {
            self.wanted = self.wants(number).into();
            supply.expect(self.wanted.clone());
        }
        // A chunk that stood before, and cannot be read back, comes alone.
        let want = match self.wanted.pop_front() {
            Some(want) if has(&want) => want,
            _ => Want { blob: pack, range: chunk.frame },
        };
        self.held = Some((want, supply.stretch(&want)?));
        Ok(())
    }

    /// What is to be fetched from a chunk on.
    fn wants(&self, number: usize) -> Vec<Want> {
        let mut wants: Vec<Want> = Vec::new();
        let from = self.first.partition_point(|first| *first < number);
        for chunk in self.first[from..].iter().map(|first| &self.chunks[*first]) {
            if self.local.contains_key(&chunk.id) {
                continue;
            }
            let pack = self.packs[chunk.pack as usize];
            let end = chunk.frame.offset + chunk.frame.length;
            match wants.last_mut() {
                Some(last)
                    if last.blob == pack
                        && chunk.frame.offset - last.range.offset <= last.range.length + GAP
                        && end - last.range.offset <= HELD =>
                {
                    last.range.length = end - last.range.offset;
                }
                _ => wants.push(Want { blob: pack, range: chunk.frame }),
            }
        }
        wants
    }
}

fn place(chunk: &Chunk) -> (u32, u64) {
    (chunk.pack, chunk.frame.offset)
}

fn inside(frame: Range, range: Range) -> bool {
    frame.offset >= range.offset && frame.offset + frame.length <= range.offset + range.length
}
