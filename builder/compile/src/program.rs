use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use geminios_model::Digest;

use crate::error::{CompileError, at};

/// A compiled program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// In the cache.
    pub path: PathBuf,
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

impl Compiled {
    pub(crate) fn read(path: PathBuf) -> Result<Self, CompileError> {
        let (digest, size) = File::open(&path).and_then(Digest::of_reader).map_err(at(&path))?;
        Ok(Compiled { path, digest, size })
    }

    /// One line for the progress.
    pub(crate) fn summary(&self, reused: bool) -> String {
        let how = if reused { "reused" } else { "compiled" };
        format!("{how}, {} kB", self.size.div_ceil(1000))
    }
}

/// Puts a binary where the step keeps it.
pub(crate) fn keep(built: &Path, to: &Path) -> Result<(), CompileError> {
    fs::copy(built, to).map_err(at(built))?;
    fs::set_permissions(to, Permissions::from_mode(0o755)).map_err(at(to))
}

pub(crate) fn make_folder(path: &Path) -> Result<(), CompileError> {
    fs::create_dir_all(path).map_err(at(path))
}

/// Writes a file and the folders above it.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<(), CompileError> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    fs::write(path, bytes).map_err(at(path))
}
