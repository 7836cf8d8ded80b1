//! Bytes that a device fetches, by the version that it starts from.

use std::collections::HashSet;

use geminios_update_format::Digest;
use geminios_update_format::release::{ChunkIndex, Image, ImageKind, Ranges, Release};
use semver::Version;

use crate::error::ReleaseError;
use crate::repository::old::image;
use crate::repository::store::Store;

/// All rows: first from nothing, then by starting version, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub to: Version,
    pub rows: Vec<Row>,
}

/// Bytes to fetch, all images together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// None: a device with nothing.
    pub from: Option<Version>,
    pub whole: u64,
    /// None: no delta from this version.
    pub delta: Option<u64>,
    /// With the index.
    pub chunks: u64,
    /// Of each image the best way.
    pub best: u64,
}

impl Table {
    /// `releases` may hold the release itself, and newer ones: devices go back, too.
    pub(crate) fn of(store: &Store, releases: &[Release], to: &Release) -> Result<Self, ReleaseError> {
        let mut rows = vec![row(store, None, to)?];
        for from in releases.iter().rev().filter(|from| from.version != to.version) {
            rows.push(row(store, Some(from), to)?);
        }
        Ok(Table { to: to.version.clone(), rows })
    }
}

fn row(store: &Store, from: Option<&Release>, to: &Release) -> Result<Row, ReleaseError> {
    let mut row =
        Row { from: from.map(|from| from.version.clone()), whole: 0, delta: Some(0), chunks: 0, best: 0 };
    for (kind, new) in to.images() {
        let whole: u64 = new.whole.iter().map(|piece| piece.blob.size).sum();
        let delta = from.and_then(|from| delta(from, kind, new));
        let have = match from {
            Some(from) => ids(store, image(from, kind))?,
            None => HashSet::new(),
        };
        let chunks = chunks(store, new, &have)?.unwrap_or(whole);
        row.whole += whole;
        row.delta = row.delta.zip(delta).map(|(sum, delta)| sum + delta);
        row.chunks += chunks;
        row.best += whole.min(chunks).min(delta.unwrap_or(u64::MAX));
    }
    Ok(row)
}

fn delta(from: &Release, kind: ImageKind, new: &Image) -> Option<u64> {
    let name = if kind == ImageKind::Root { from.root_hash } else { image(from, kind).sha256 };
    let delta = new.deltas.iter().find(|delta| delta.from == name)?;
    Some(delta.pieces.iter().map(|piece| piece.blob.size).sum())
}

fn index(store: &Store, image: &Image) -> Result<Option<ChunkIndex>, ReleaseError> {
    let Some(set) = &image.chunks else { return Ok(None) };
    let damaged = |problem| ReleaseError::Damaged { file: set.index.path(), problem };
    let bytes = store.read_blob(&set.index).map_err(damaged)?;
    Ok(Some(ChunkIndex::parse(&bytes, image)?))
}

fn ids(store: &Store, image: &Image) -> Result<HashSet<Digest>, ReleaseError> {
    Ok(index(store, image)?.into_iter().flat_map(|index| index.chunks).map(|chunk| chunk.id).collect())
}

fn chunks(store: &Store, image: &Image, have: &HashSet<Digest>) -> Result<Option<u64>, ReleaseError> {
    let (Some(index), Some(set)) = (index(store, image)?, &image.chunks) else { return Ok(None) };
    let needed = index.needed(&|id| have.contains(id), &Ranges::new(), 0);
    Ok(Some(set.index.size + needed.iter().map(|range| range.range.length).sum::<u64>()))
}
