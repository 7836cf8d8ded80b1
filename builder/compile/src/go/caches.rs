use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{CompileError, at};

/// Where Go keeps modules and compiled packages between builds. It checks both itself.
#[derive(Clone, Debug)]
pub struct GoCaches {
    pub modules: PathBuf,
    pub packages: PathBuf,
    /// Whether modules that are not here may be fetched.
    pub fetch: bool,
}

impl GoCaches {
    /// Those in a cache folder.
    pub fn of(cache: &Path, fetch: bool) -> Self {
        let go = cache.join("go");
        GoCaches { modules: go.join("modules"), packages: go.join("packages"), fetch }
    }

    /// Bytes of compiled packages, and of modules.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn sizes(&self) -> Result<(u64, u64), CompileError> {
        let of = |folder: &Path| size(folder).map_err(at(folder));
        Ok((of(&self.packages)?, of(&self.modules)?))
    }

    /// Removes compiled packages, and modules too if asked to.
    ///
    /// # Errors
    /// A folder cannot be removed.
    pub fn clear(&self, modules: bool) -> Result<(), CompileError> {
        let folders = [Some(&self.packages), modules.then_some(&self.modules)];
        for folder in folders.into_iter().flatten().filter(|folder| folder.exists()) {
            fs::remove_dir_all(folder).map_err(at(folder))?;
        }
        Ok(())
    }
}

fn size(folder: &Path) -> io::Result<u64> {
    if !folder.exists() {
        return Ok(0);
    }
    fs::read_dir(folder)?.try_fold(0, |sum, entry| {
        let entry = entry?;
        Ok(sum + if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() })
    })
}
