//! Crates: from the host's cargo into the store, checked; from the store into a folder that the locked cargo reads.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use geminios_fetch::{Blob, Store};

use crate::error::{CompileError, at};
use crate::program::make_folder;
use crate::rust::locked::{Crate, Locked};

/// The largest crate that is unpacked, in bytes; the largest of windows-sys had 40 MB.
const LARGEST: u64 = 512 << 20;

/// The cargo that the user built us with: it fetches crates, with the user's own configuration. It compiles nothing.
#[derive(Clone, Debug)]
pub struct HostCargo {
    /// The program.
    pub program: PathBuf,
    /// Its folder, which has registry/cache.
    pub home: PathBuf,
}

impl HostCargo {
    /// As `CARGO`, `CARGO_HOME` and `HOME` say.
    pub fn of_environment() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("CARGO_HOME").or_else(|| path("HOME").map(|home| home.join(".cargo")));
        HostCargo { program: path("CARGO").unwrap_or_else(|| "cargo".into()), home: home.unwrap_or_default() }
    }

    fn fetch(&self, workspace: &Path) -> Result<(), CompileError> {
        let mut command = Command::new(&self.program);
        command.args(["fetch", "--locked", "--manifest-path"]).arg(workspace.join("Cargo.toml"));
        let output = command.env("CARGO_HOME", &self.home).output().map_err(at(&self.program))?;
        if output.status.success() {
            return Ok(());
        }
        Err(CompileError::Fetch { message: String::from_utf8_lossy(&output.stderr).trim_end().to_owned() })
    }

    /// The crate's file in one of the registries' caches, with the locked checksum, into the store.
    fn give(&self, wanted: &Crate, store: &Store) -> Result<Option<Blob>, CompileError> {
        let cache = self.home.join("registry/cache");
        let Ok(registries) = fs::read_dir(&cache) else { return Ok(None) };
        for registry in registries {
            let path = registry.map_err(at(&cache))?.path().join(format!("{}.crate", wanted.folder()));
            let Ok(file) = File::open(&path) else { continue };
            let size = file.metadata().map_err(at(&path))?.len();
            match store.put(file, Some((wanted.checksum, size))) {
                Ok(blob) => return Ok(Some(blob)),
                // Another registry may have the right one.
                Err(geminios_fetch::StoreError::Mismatch { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// The crates of the lock, in its order; fetched by the host's cargo if the store does not have them.
pub(crate) fn in_store(
    locked: &Locked,
    host: &HostCargo,
    workspace: &Path,
    store: &Store,
) -> Result<Vec<Blob>, CompileError> {
    let mut fetched = false;
    let mut blobs = Vec::new();
    for wanted in locked.crates()? {
        let mut blob = match store.get(&wanted.checksum)? {
            Some(blob) => Some(blob),
            None => host.give(&wanted, store)?,
        };
        if blob.is_none() && !fetched {
            host.fetch(workspace)?;
            fetched = true;
            blob = host.give(&wanted, store)?;
        }
        let missing = || CompileError::CrateMissing {
            file: format!("{}.crate", wanted.folder()),
            home: host.home.clone(),
        };
        blobs.push(blob.ok_or_else(missing)?);
    }
    Ok(blobs)
}

/// Unpacks crates as a directory source of cargo (Cargo Book, "Source Replacement").
pub(crate) fn vendor(locked: &Locked, blobs: &[Blob], folder: &Path) -> Result<(), CompileError> {
    make_folder(folder)?;
    for (wanted, blob) in locked.crates()?.iter().zip(blobs) {
        let file = blob.open().map_err(at(&blob.path))?;
        unpack(&wanted.folder(), file, folder)?;
        let path = folder.join(wanted.folder()).join(".cargo-checksum.json");
        let checksum = format!("{{\"files\":{{}},\"package\":\"{}\"}}", wanted.checksum);
        fs::write(&path, checksum).map_err(at(&path))?;
    }
    Ok(())
}

/// Unpacks one crate: plain files below its own folder, nothing else.
fn unpack(name: &str, file: impl Read, into: &Path) -> Result<(), CompileError> {
    let hostile = |reason: String| CompileError::HostileCrate { file: format!("{name}.crate"), reason };
    let broken = |error: std::io::Error| hostile(format!("damaged archive: {error}"));
    // One byte more than allowed, so that a longer one is noticed.
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file).take(LARGEST + 1));
    let mut size = 0;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            continue;
        }
        let plain =
            path.starts_with(name) && path.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || !kind.is_file() {
            return Err(hostile(format!("{} is not a plain file below {name}/", path.display())));
        }
        size += entry.size();
        if size > LARGEST {
            return Err(hostile(format!("it unpacks to more than {} MiB", LARGEST >> 20)));
        }
        let to = into.join(&path);
        make_folder(to.parent().unwrap_or(into))?;
        let mut out = File::create(&to).map_err(at(&to))?;
        std::io::copy(&mut entry, &mut out).map_err(broken)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "crates_tests.rs"]
mod tests;
