//! The way with the fewest bytes, for each image, by what the device has.

use std::collections::{HashMap, HashSet};
use std::fmt;

use geminios_slots::Image;
use geminios_update_format::Digest;
use geminios_update_format::release::{
    self as format, Choice, ChunkIndex, Have, Held, Piece, Range, Release,
};

use crate::config::shown;
use crate::supply::old::{Old, covered};
use crate::supply::{Supply, SupplyError, Want, blob};

/// Frames that lie no further apart in a pack are fetched in one request: a round trip takes longer than these bytes.
pub const GAP: u64 = 16 << 10;
/// Most bytes of old images that are hashed to see whether a delta is from them.
const HASHED: u64 = 1 << 30;

/// How one image is got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// All pieces of it, also those that are written: what was claimed of them may turn out untrue.
    Pieces { from: Option<Digest>, pieces: Vec<Piece> },
    /// Chunks, some of them from the old image, where they begin there.
    Chunks { index: ChunkIndex, local: HashMap<Digest, u64> },
}

/// How all are got, and what that costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub root: Way,
    pub verity: Way,
    pub uki: Way,
    /// Bytes still to fetch.
    pub bytes: u64,
}

impl Chosen {
    pub fn way(&mut self, image: Image) -> &mut Way {
        match image {
            Image::Root => &mut self.root,
            Image::Verity => &mut self.verity,
            Image::Uki => &mut self.uki,
        }
    }
}

/// Bytes from the beginning of each image that a run before wrote and claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub root: u64,
    pub verity: u64,
}

/// Chooses among what the supply has. Unless a chunk index may be read, it is the way that is sure.
///
/// # Errors
/// A chunk index cannot be got.
pub fn choose(
    release: &Release,
    old: &mut Old,
    written: Written,
    supply: &mut dyn Supply,
    may_read: bool,
) -> Result<Chosen, SupplyError> {
    let mut release = there(release, supply);
    let mut have = Have { root: done(written.root), verity: done(written.verity), uki: done(0) };
    have.root.bases.extend(old.root_hash.filter(|_| old.root.is_some()));
    have.verity.bases = same(&release.verity, old, Image::Verity);
    have.uki.bases = same(&release.uki, old, Image::Uki);
    for (image, held) in
        [(&mut release.root, &have.root), (&mut release.verity, &have.verity), (&mut release.uki, &have.uki)]
    {
        // Chunks are for devices that have no base of a delta: those never fetch more.
        if image.deltas.iter().any(|delta| held.bases.contains(&delta.from)) {
            image.chunks = None;
        }
    }
    let mut indexes = Indexes::default();
    if may_read {
        indexes.read(&release, &mut have, old, supply)?;
    }
    for image in [&mut release.root, &mut release.verity, &mut release.uki] {
        if !indexes.known(image) {
            image.chunks = None;
        }
    }
    let plan = format::choose(&release, &have);
    let bytes = plan.bytes();
    Ok(Chosen {
        root: indexes.way(plan.root, &release.root),
        verity: indexes.way(plan.verity, &release.verity),
        uki: indexes.way(plan.uki, &release.uki),
        bytes,
    })
}

/// Without the encodings that the supply does not have. A bundle has each as a whole or not at all; the whole is always there.
fn there(release: &Release, supply: &mut dyn Supply) -> Release {
    let mut release = release.clone();
    for image in [&mut release.root, &mut release.verity, &mut release.uki] {
        image.deltas.retain(|delta| delta.pieces.iter().all(|piece| supply.has(&Want::all(piece.blob))));
        image.chunks = image.chunks.take().filter(|set| supply.has(&Want::all(set.index)));
    }
    release
}

fn done(bytes: u64) -> Held {
    let done = [Range { offset: 0, length: bytes }].into_iter().collect();
    Held { done, ..Held::default() }
}

/// Bases of deltas that are the device's own image.
fn same(image: &format::Image, old: &mut Old, kind: Image) -> Vec<Digest> {
    let Some(there) = old.image(kind) else { return Vec::new() };
    let mut sums: HashMap<u64, Option<Digest>> = HashMap::new();
    let mut hashed = 0;
    let mut is_same = |from: &Digest, size: u64| {
        // A kernel is a file of its own; a hash tree stands at the begin of a partition.
        if size > there.size || (kind == Image::Uki && size != there.size) || hashed > HASHED {
            return false;
        }
        let sum = sums.entry(size).or_insert_with(|| {
            hashed += size;
            there.sha256(size).ok()
        });
        *sum == Some(*from)
    };
    let deltas = image.deltas.iter().filter(|delta| is_same(&delta.from, delta.from_size));
    deltas.map(|delta| delta.from).collect()
}

/// Chunk indexes that were read, by their digest.
#[derive(Default)]
struct Indexes(HashMap<Digest, (ChunkIndex, HashMap<Digest, u64>)>);

impl Indexes {
    /// Reads those that may be worth it.
    fn read(
        &mut self,
        release: &Release,
        have: &mut Have,
        old: &mut Old,
        supply: &mut dyn Supply,
    ) -> Result<(), SupplyError> {
        let plan = format::choose(release, have);
        let size = old.verity.as_mut().and_then(covered);
        for (kind, image, choice, held) in [
            (Image::Root, &release.root, plan.root, &mut have.root),
            (Image::Verity, &release.verity, plan.verity, &mut have.verity),
            (Image::Uki, &release.uki, plan.uki, &mut have.uki),
        ] {
            let (Choice::ReadIndex(wanted), Some(there)) = (choice, old.image(kind)) else { continue };
            let index = ChunkIndex::parse(&blob(supply, &wanted)?, image)?;
            let ids: HashSet<Digest> = index.chunks.iter().map(|chunk| chunk.id).collect();
            let size = if kind == Image::Root { size.unwrap_or(there.size) } else { there.size };
            // What cannot be read is not there.
            let local = there.chunks(size.min(there.size), &ids).unwrap_or_default();
            held.chunks = Some(index.needed(&|id| local.contains_key(id), &held.done, GAP));
            self.0.insert(wanted.sha256, (index, local));
        }
        Ok(())
    }

    fn known(&self, image: &format::Image) -> bool {
        image.chunks.as_ref().is_some_and(|set| self.0.contains_key(&set.index.sha256))
    }

    fn way(&mut self, choice: Choice, image: &format::Image) -> Way {
        let whole = |from: Option<Digest>| {
            let delta = image.deltas.iter().find(|delta| Some(delta.from) == from);
            let pieces = delta.map_or(&image.whole, |delta| &delta.pieces);
            Way::Pieces { from: delta.and(from), pieces: pieces.clone() }
        };
        match choice {
            Choice::Pieces { from, .. } => whole(from),
            Choice::Nothing | Choice::ReadIndex(_) => whole(None),
            Choice::Chunks { .. } => {
                let known = image.chunks.as_ref().and_then(|set| self.0.remove(&set.index.sha256));
                known.map_or_else(|| whole(None), |(index, local)| Way::Chunks { index, local })
            }
        }
    }
}

impl fmt::Display for Chosen {
    /// `12.3 MiB (root: change of what runs; verity: whole; kernel: whole)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |way: &Way| match way {
            Way::Pieces { from: Some(_), .. } => "as a change of what runs",
            Way::Pieces { from: None, .. } => "whole",
            Way::Chunks { .. } => "what is not in the running system",
        };
        let (root, verity, uki) = (name(&self.root), name(&self.verity), name(&self.uki));
        write!(f, "{}: ", shown(self.bytes))?;
        if root == verity && verity == uki {
            return f.write_str(root);
        }
        write!(f, "root {root}, verity {verity}, kernel {uki}")
    }
}
