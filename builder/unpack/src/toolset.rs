//! Locked programs on the host: Debian packages unpacked into a folder of the cache, run by that folder's own loader,
//! so that neither the host's libraries nor its programs matter.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_fetch::{Blob, Steps, StepsError, Store};
use geminios_model::{Arch, Digest, LockedPackage, Progress, Unit};
use rayon::prelude::*;
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::deb::unpack;
use crate::error::UnpackError;
use crate::program;
use crate::spread::{SpreadError, spread};

/// The step that keeps unpacked sets.
const STEP: &str = "tools";
/// Changes when the same packages would be unpacked otherwise.
const VERSION: &[u8] = b"3";

/// A set of locked tools, unpacked.
#[derive(Clone, Debug)]
pub struct ToolSet {
    folder: PathBuf,
    digest: Digest,
    arch: Arch,
    libraries: String,
}

/// Why tools cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolSetError {
    #[error(
        "tool set `{set}` is for {arch}, and this host is not\n  help: build on a host with that architecture"
    )]
    Foreign { set: String, arch: Arch },
    #[error("tool set `{set}` has no packages in the lock\n  help: lock again with `geminios lock PROFILE`")]
    Empty { set: String },
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Spread(#[from] SpreadError),
    #[error(transparent)]
    Steps(#[from] StepsError),
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ToolSetError + '_ {
    move |error| ToolSetError::Io { path: path.to_owned(), error }
}

impl ToolSet {
    /// The tools of a set, unpacked if they are not yet.
    ///
    /// # Errors
    /// A hostile package; two packages that cannot be together; no room; a set for another kind of host.
    pub fn open(
        store: &Store,
        steps: &Steps,
        set: &str,
        arch: Arch,
        packages: &[(LockedPackage, Blob)],
        progress: &dyn Progress,
    ) -> Result<Self, ToolSetError> {
        if Arch::host() != Some(arch) {
            return Err(ToolSetError::Foreign { set: set.to_owned(), arch });
        }
        if packages.is_empty() {
            return Err(ToolSetError::Empty { set: set.to_owned() });
        }
        let digest = ToolSet::key(packages.iter().map(|(package, _)| package));
        let folder = match steps.get(STEP, &digest) {
            Some(folder) => folder,
            None => {
                let stage = format!("tools {set}");
                progress.begin(&stage, packages.len() as u64, Unit::Items);
                let folder = steps.put(STEP, &digest, |dir| -> Result<(), ToolSetError> {
                    let unpacked = packages.par_iter().map(|(locked, blob)| {
                        let package = unpack(store, steps, blob)?;
                        progress.advance(&stage, 1);
                        Ok((locked.name.as_str(), package))
                    });
                    let unpacked = unpacked.collect::<Result<Vec<_>, UnpackError>>()?;
                    Ok(spread(&unpacked, dir)?)
                })?;
                progress.end(&stage, &format!("{} packages unpacked", packages.len()));
                folder
            }
        };
        ToolSet::at(folder, digest, arch)
    }

    /// The tools of a set if they are unpacked already; then its packages need not be fetched.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn unpacked<'a>(
        steps: &Steps,
        arch: Arch,
        packages: impl Iterator<Item = &'a LockedPackage>,
    ) -> Result<Option<Self>, ToolSetError> {
        let digest = ToolSet::key(packages);
        match steps.get(STEP, &digest) {
            Some(folder) if Arch::host() == Some(arch) => ToolSet::at(folder, digest, arch).map(Some),
            _ => Ok(None),
        }
    }

    fn key<'a>(packages: impl Iterator<Item = &'a LockedPackage>) -> Digest {
        let mut digests: Vec<Digest> = packages.map(|package| package.sha256).collect();
        digests.sort();
        Digest::of_parts(std::iter::once(VERSION).chain(digests.iter().map(|d| d.bytes().as_slice())))
    }

    fn at(folder: PathBuf, digest: Digest, arch: Arch) -> Result<Self, ToolSetError> {
        // A tool may be run in any folder.
        let folder = std::path::absolute(&folder).map_err(at(&folder))?;
        let libraries = program::libraries(&folder, arch).map_err(at(&folder))?;
        Ok(ToolSet { folder, digest, arch, libraries })
    }

    /// Digest of the packages.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// A file or folder of the set, by its path without the leading `/`.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// Runs a program of the set. Of the caller's environment only TMPDIR reaches it. It ends with the thread that
    /// started it, so that a build that is killed leaves nothing running: `mkfs.erofs` would wait for ever for the
    /// rest of its input.
    pub fn command(&self, program: &str) -> Command {
        let words = self.words(program);
        let lib = self.folder.join("usr/lib").join(self.arch.multiarch());
        let mut command = bare(Path::new(&words[0]));
        // What iconv(3) loads would come from the host.
        command.args(&words[1..]).env("GCONV_PATH", lib.join("gconv"));
        let modules = lib.join("qemu");
        if modules.is_dir() {
            // QEMU looks for them beside its program, which is here the loader.
            command.env("QEMU_MODULE_DIR", modules);
        }
        command
    }

    /// A shell script that runs a program of the set, for tools that start others by path; written into `folder`.
    ///
    /// # Errors
    /// The script cannot be written.
    pub fn wrapper(&self, program: &str, folder: &Path) -> Result<PathBuf, ToolSetError> {
        let path = folder.join(program);
        let words = self.words(program);
        let words: Vec<String> =
            words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
        fs::write(&path, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "))).map_err(at(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(at(&path))?;
        Ok(path)
    }

    fn words(&self, program: &str) -> Vec<String> {
        program::words(&self.folder, self.arch, &self.libraries, program)
    }
}

/// A program with nothing of the caller's environment but TMPDIR. It ends with the thread that started it.
pub fn bare(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("HOME", "/nonexistent");
    if let Some(tmp) = std::env::var_os("TMPDIR") {
        command.env("TMPDIR", tmp);
    }
    // SAFETY: between fork and exec only one async-signal-safe system call (prctl) is made.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?)) };
    command
}
