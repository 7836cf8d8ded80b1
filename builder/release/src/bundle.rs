//! Making a bundle: one release as one tar file. The format crate says what it looks like, and reads it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use geminios_update_format::bundle::{BLOCK, header, padding};
use geminios_update_format::metadata::Body as _;
use geminios_update_format::metadata::RoleName;
use geminios_update_format::release::{Image, ImageKind, Piece, Release};
use semver::Version;

use crate::error::ReleaseError;
use crate::repository::{Current, Repository, Store, release_name};

/// Which release, and from which older versions its deltas come along.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub profile: &'a str,
    pub board: &'a str,
    pub version: &'a Version,
    pub deltas: &'a [Version],
}

/// A file of a bundle: its path in the repository, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub size: u64,
}

/// What a bundle has, in its order.
pub fn members(repository: &Repository, wanted: &Wanted<'_>) -> Result<Vec<Member>, ReleaseError> {
    let store = &repository.store;
    let current = Current::read(store)?;
    let name = release_name(wanted.profile, wanted.board, wanted.version);
    let release = current.release(store, &name)?;
    let mut names = vec!["metadata/timestamp.json".to_owned()];
    names.extend(
        (1..=current.root.header().version)
            .map(|version| format!("metadata/{}", RoleName::Root.file(version))),
    );
    names.push(format!("metadata/{}", RoleName::Snapshot.file(current.snapshot)));
    names.push(format!("metadata/{}", RoleName::Targets.file(current.targets)));
    names.extend(current.paths.get(&name).cloned());
    names.extend(release.sbom.iter().chain(&release.notes).map(|blob| blob.path()));
    let mut older = Vec::new();
    for version in wanted.deltas {
        older.push(current.release(store, &release_name(wanted.profile, wanted.board, version))?);
    }
    for (kind, image) in release.images() {
        let pieces = older.iter().filter_map(|old| delta(image, kind, old)).flatten().chain(&image.whole);
        names.extend(pieces.map(|piece| piece.blob.path()));
    }
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names.into_iter().map(|name| member(store, name)).collect()
}

fn delta<'a>(image: &'a Image, kind: ImageKind, old: &Release) -> Option<&'a Vec<Piece>> {
    let from = match kind {
        ImageKind::Root => old.root_hash,
        ImageKind::Verity => old.verity.sha256,
        ImageKind::Uki => old.uki.sha256,
    };
    image.deltas.iter().find(|delta| delta.from == from).map(|delta| &delta.pieces)
}

fn member(store: &Store, name: String) -> Result<Member, ReleaseError> {
    let path = store.dir.join(&name);
    let size = std::fs::metadata(&path).map_err(ReleaseError::io(&path))?.len();
    Ok(Member { name, size })
}

/// Writes it. The same repository and release give the same bytes.
pub fn write(repository: &Repository, wanted: &Wanted<'_>, out: &mut dyn Write) -> Result<u64, ReleaseError> {
    let store = &repository.store;
    // So that no publisher changes timestamp.json between the plan and its bytes.
    let _lock = store.lock()?;
    let mut written = 0;
    let members = members(repository, wanted)?;
    let failed = |error: io::Error| ReleaseError::Io { path: "the bundle".into(), error };
    for Member { name, size } in members {
        let head = header(&name, size).ok_or_else(|| ReleaseError::LongName(name.clone()))?;
        let path = store.dir.join(&name);
        // One file is at most as large as a piece packed, or release.json, or a SBOM.
        let bytes = std::fs::read(&path).map_err(ReleaseError::io(&path))?;
        if bytes.len() as u64 != size {
            let problem = format!("{} bytes, and {size} before", bytes.len());
            return Err(ReleaseError::Damaged { file: name, problem });
        }
        for part in [&head[..], &bytes, &[0; BLOCK][..padding(size)]] {
            out.write_all(part).map_err(failed)?;
            written += part.len() as u64;
        }
    }
    out.write_all(&[0; 2 * BLOCK]).and_then(|()| out.flush()).map_err(failed)?;
    Ok(written + 2 * BLOCK as u64)
}
