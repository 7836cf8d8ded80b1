//! Adding a release.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use geminios_model::{Progress, Unit};
use geminios_update_format::metadata::RoleName;
use geminios_update_format::name::is_label;
use geminios_update_format::release::{Blob, DELTAS, DOCUMENT, Delta, Image, ImageKind, Release};
use geminios_update_format::write::TargetEntry;
use geminios_update_format::{Digest, UnixTime};

use crate::build::Build;
use crate::encode::{self, Levels};
use crate::error::ReleaseError;
use crate::keys::Keys;
use crate::repository::Repository;
use crate::repository::current::{Current, release_name};
use crate::repository::metadata::{self, Lifetimes, Since, Vouchers};
use crate::repository::old::{image, unpack};
use crate::repository::store::Store;
use crate::repository::table::Table;

/// What to publish, and how.
pub struct Request<'a> {
    pub build: &'a Build,
    pub channel: &'a str,
    /// Deltas from so many releases of the channel before it, and from the newest of each other channel; 0: none.
    pub deltas: usize,
    pub levels: Levels,
    pub now: UnixTime,
    pub lifetimes: Lifetimes,
    pub keys: &'a Keys,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub release: String,
    /// Version of the timestamp that announces it; None if all was published before.
    pub timestamp: Option<u64>,
    /// Bytes of all blobs that release.json names itself: those of chunks are named by their index.
    pub blobs: u64,
    pub table: Table,
}

impl Repository {
    /// Adds a release to a channel. A release that is there already with the same images is only added to the channel, and one
    /// that is in the channel changes nothing.
    pub fn publish(&self, request: &Request<'_>, progress: &dyn Progress) -> Result<Published, ReleaseError> {
        let (store, build) = (&self.store, request.build);
        if !is_label(request.channel) {
            return Err(ReleaseError::Channel(request.channel.to_owned()));
        }
        let _lock = store.lock()?;
        let current = Current::read(store)?;
        // Nobody waits ten minutes to hear that a key is missing.
        for role in [RoleName::Targets, RoleName::Snapshot, RoleName::Timestamp] {
            request.keys.require(&current.root, role)?;
        }
        let name = release_name(&build.profile, &build.board, &build.version);
        let mut channels = current.channels(&name);
        let release = match current.entries.get(&name) {
            Some(_) => {
                let release = current.release(store, &name)?;
                same(build, &release)?;
                release
            }
            None => make(store, &current, request, progress)?,
        };
        let bytes = release.to_bytes()?;
        let mut entries = current.entries.clone();
        let mut timestamp = None;
        if !channels.iter().any(|channel| channel == request.channel) {
            channels.push(request.channel.to_owned());
            channels.sort();
            let listed: Vec<&str> = channels.iter().map(String::as_str).collect();
            let custom = TargetEntry::release_custom(
                &build.profile,
                &build.board,
                &build.arch,
                &listed,
                &build.version,
            );
            let entry = TargetEntry::of(&bytes, Some(custom));
            let (folder, file) = name.rsplit_once('/').unwrap_or(("", &name));
            store.put(&format!("targets/{folder}/{}.{file}", entry.sha256), &bytes)?;
            entries.insert(name.clone(), entry);
            let vouchers = Vouchers { keys: request.keys, root: &current.root, before: None };
            let when = (request.now, &request.lifetimes);
            timestamp = Some(metadata::write(store, &current, (Since::Targets, &entries), &vouchers, when)?);
        }
        let table = Table::of(store, &current.releases(store, &build.profile, &build.board)?, &release)?;
        Ok(Published { release: name, timestamp, blobs: total(&release), table })
    }
}

/// A published version never gets other contents.
fn same(build: &Build, release: &Release) -> Result<(), ReleaseError> {
    let [root, verity, uki] = [&release.root, &release.verity, &release.uki].map(|image| image.sha256);
    let members = [
        ("root", build.root.sha256 == root && build.root_hash == release.root_hash),
        ("verity", build.verity.sha256 == verity),
        ("UKI", build.uki.sha256 == uki),
        ("data contract", build.data == release.data),
        ("architecture", build.arch == release.arch),
    ];
    match members.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(ReleaseError::Released { version: build.version.to_string(), what }),
        None => Ok(()),
    }
}

/// Packs all images and writes their blobs.
fn make(
    store: &Store,
    current: &Current,
    request: &Request<'_>,
    progress: &dyn Progress,
) -> Result<Release, ReleaseError> {
    let build = request.build;
    let size = build.parts().map(|(_, part)| part.size).iter().sum();
    progress.begin("check", size, Unit::Bytes);
    build.check()?;
    progress.end("check", &format!("{} are what the build says", shown(size)));
    let older = bases(store, current, request)?;
    // Both are read before one is put: a refusal leaves nothing behind.
    let document = |path: &Option<PathBuf>| path.as_deref().map(document).transpose();
    let (sbom, notes) = (document(&build.sbom)?, document(&build.notes)?);
    let blob = |bytes: Option<Vec<u8>>| bytes.map(|bytes| store.blob(&bytes)).transpose();
    let (sbom, notes) = (blob(sbom)?, blob(notes)?);
    let mut images = Vec::new();
    for kind in [ImageKind::Root, ImageKind::Verity, ImageKind::Uki] {
        images.push(pack(store, request, &older, kind, progress)?);
    }
    let Ok([root, verity, uki]) = <[Image; 3]>::try_from(images) else {
        unreachable!("three kinds make three images")
    };
    Ok(Release {
        version: build.version.clone(),
        profile: build.profile.clone(),
        board: build.board.clone(),
        arch: build.arch.clone(),
        root_hash: build.root_hash,
        built: build.built,
        updater: build.updater,
        data: build.data.clone(),
        sbom,
        notes,
        root,
        verity,
        uki,
    })
}

/// Releases from which deltas are made, newest first: the last ones of the channel, and the newest of each other channel. Devices
/// of `stable` would get none if only the last betas counted, for a release that is in both, or goes from one to the other.
fn bases(store: &Store, current: &Current, request: &Request<'_>) -> Result<Vec<Release>, ReleaseError> {
    let build = request.build;
    let mut older = current.releases(store, &build.profile, &build.board)?;
    older.retain(|release| release.version < build.version && release.arch == build.arch);
    older.reverse();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    older.retain(|release| {
        let name = release_name(&release.profile, &release.board, &release.version);
        let mut wanted = false;
        for channel in current.channels(&name) {
            let most = if channel == request.channel { request.deltas } else { request.deltas.min(1) };
            let count = seen.entry(channel).or_default();
            wanted |= *count < most;
            *count += 1;
        }
        wanted
    });
    older.truncate(DELTAS);
    Ok(older)
}

fn document(path: &Path) -> Result<Vec<u8>, ReleaseError> {
    let bytes = std::fs::read(path).map_err(ReleaseError::io(path))?;
    if !(1..=DOCUMENT).contains(&(bytes.len() as u64)) {
        return Err(ReleaseError::Document { path: path.to_owned(), size: bytes.len() as u64 });
    }
    Ok(bytes)
}

/// One image by all ways.
fn pack(
    store: &Store,
    request: &Request<'_>,
    older: &[Release],
    kind: ImageKind,
    progress: &dyn Progress,
) -> Result<Image, ReleaseError> {
    let (_, part) = request
        .build
        .parts()
        .into_iter()
        .find(|(own, _)| *own == kind)
        .unwrap_or((kind, &request.build.root));
    let region = part.region()?;
    let written = AtomicU64::new(0);
    let sink = |bytes: &[u8]| {
        written.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        store.blob(bytes)
    };
    let stage = |way: &str| format!("{} {way}", kind.as_str());
    let begin = |stage: &str| {
        written.store(0, Ordering::Relaxed);
        progress.begin(stage, part.size, Unit::Bytes);
    };
    let end = |stage: &str| progress.end(stage, &shown(written.load(Ordering::Relaxed)));

    let name = stage("whole");
    begin(&name);
    let whole = encode::whole(&region, request.levels.whole, &sink, (progress, &name))?;
    end(&name);
    let mut made = Image { size: part.size, sha256: part.sha256, whole, chunks: None, deltas: Vec::new() };
    let mut froms: Vec<Digest> = Vec::new();
    for release in older {
        let old = image(release, kind);
        let from = if kind == ImageKind::Root { release.root_hash } else { old.sha256 };
        // Two releases may have the same UKI.
        if froms.contains(&from) {
            continue;
        }
        froms.push(from);
        let name = stage(&format!("delta from {}", release.version));
        begin(&name);
        let unpacked = unpack(store, release, kind)?;
        let pieces = encode::delta(
            &region,
            &unpacked.region,
            &made.whole,
            request.levels.delta,
            &sink,
            (progress, &name),
        )?;
        made.deltas.push(Delta { from, from_size: old.size, pieces });
        end(&name);
    }
    let name = stage("chunks");
    begin(&name);
    made.chunks = Some(encode::chunks(&region, &made, request.levels.chunks, &sink, (progress, &name))?);
    end(&name);
    Ok(made)
}

/// As people read it.
fn shown(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn total(release: &Release) -> u64 {
    let pieces = |image: &Image| {
        let deltas = image.deltas.iter().flat_map(|delta| &delta.pieces);
        image.whole.iter().chain(deltas).map(|piece| piece.blob).collect::<Vec<Blob>>()
    };
    let mut blobs: Vec<Blob> = release.images().into_iter().flat_map(|(_, image)| pieces(image)).collect();
    let indexes = release.images().into_iter().filter_map(|(_, image)| image.chunks.as_ref());
    blobs.extend(indexes.map(|set| set.index));
    blobs.extend(release.sbom.iter().chain(&release.notes));
    blobs.sort();
    blobs.dedup();
    blobs.iter().map(|blob| blob.size).sum()
}
