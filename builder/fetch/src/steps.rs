use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use geminios_model::Digest;
use tempfile::TempDir;

use crate::leftovers;

/// What the steps of a build made, by the digest of all that went into them: a folder each.
///
/// `steps/STEP/KEY/made` is what a step made, `steps/STEP/KEY/files` the list of it. Both come into being with one
/// rename, so that any number of processes may use one cache at once.
#[derive(Clone, Debug)]
pub struct Steps {
    root: PathBuf,
}

/// The cache of steps cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}\n  help: {}", path.display(), crate::store::remedy(error))]
pub struct StepsError {
    pub path: PathBuf,
    pub error: io::Error,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StepsError + '_ {
    move |error| StepsError { path: path.to_owned(), error }
}

impl Steps {
    /// The steps in a cache folder, made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn open(cache: &Path) -> Result<Self, StepsError> {
        let steps = Steps { root: cache.join("steps") };
        let unfinished = steps.unfinished();
        fs::create_dir_all(&unfinished).map_err(at(&unfinished))?;
        for folder in [&steps.root, &unfinished] {
            tempfile::tempfile_in(folder).map_err(at(folder))?;
        }
        leftovers::remove(&unfinished, leftovers::HOUR).map_err(at(&unfinished))?;
        Ok(steps)
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join("unfinished")
    }

    fn entry(&self, step: &str, key: &Digest) -> PathBuf {
        self.root.join(step).join(key.to_string())
    }

    /// The folder that a step made from these inputs, if it ran before.
    pub fn get(&self, step: &str, key: &Digest) -> Option<PathBuf> {
        let entry = self.entry(step, key);
        if !is_whole(&entry) && entry.exists() {
            // The host lost power while it was written, or somebody tidied up: it is made again.
            drop(self.remove_damaged(&entry));
        }
        is_whole(&entry).then(|| entry.join("made"))
    }

    /// Looks again under a lock: another process may have removed it, and put a good one in its place.
    fn remove_damaged(&self, entry: &Path) -> io::Result<()> {
        let lock = File::open(&self.root)?;
        lock.lock()?;
        if is_whole(entry) { Ok(()) } else { fs::remove_dir_all(entry) }
    }

    /// The folder of a step; `make` fills it if it is not there yet. What is half made when `make` fails or the
    /// process ends is never seen by anyone. Of two who make the same at once, the first counts.
    ///
    /// # Errors
    /// Those of `make`, and those of the cache.
    pub fn put<E: From<StepsError>>(
        &self,
        step: &str,
        key: &Digest,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<PathBuf, E> {
        if let Some(path) = self.get(step, key) {
            return Ok(path);
        }
        let unfinished = self.unfinished();
        let folder = TempDir::with_prefix_in(format!("{step}-"), &unfinished).map_err(at(&unfinished))?;
        // Tells those who tidy up that the folder has an owner.
        let owner = File::open(folder.path()).map_err(at(folder.path()))?;
        owner.lock().map_err(at(folder.path()))?;
        let made = folder.path().join("made");
        for path in [folder.path(), &made] {
            fs::create_dir_all(path).map_err(at(path))?;
            // Independent of the umask: steps run programs from here, and others of the machine may share it.
            fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(at(path))?;
        }
        make(&made)?;
        note(folder.path()).map_err(at(folder.path()))?;
        Ok(self.keep(folder, step, key)?)
    }

    /// Gives a finished folder its name, unless another process was faster.
    fn keep(&self, folder: TempDir, step: &str, key: &Digest) -> Result<PathBuf, StepsError> {
        let entry = self.entry(step, key);
        let parent = self.root.join(step);
        fs::create_dir_all(&parent).map_err(at(&parent))?;
        match fs::rename(folder.path(), &entry) {
            Ok(()) => {
                // It has its name now; there is nothing left to remove.
                let _ = folder.keep();
                Ok(entry.join("made"))
            }
            Err(error) => self.get(step, key).ok_or_else(|| at(&entry)(error)),
        }
    }

    /// Bytes of all that is kept.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn size(&self) -> Result<u64, StepsError> {
        leftovers::folder_size(&self.root).map_err(at(&self.root))
    }

    /// Removes all that is kept, but not what another process is making.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn clear(&self) -> Result<(), StepsError> {
        let unfinished = self.unfinished();
        leftovers::remove_all_but(&self.root, &unfinished).map_err(at(&self.root))?;
        leftovers::remove(&unfinished, Duration::ZERO).map_err(at(&unfinished))
    }
}

/// Lists on disk what was made. A whole build writes a gigabyte: this list, and later a look at sizes, keep the cache
/// honest after a power cut without a wait until every byte is on the disk.
fn note(entry: &Path) -> io::Result<()> {
    let files = entry.join("files");
    fs::write(&files, list(&entry.join("made"))?)?;
    fs::set_permissions(&files, Permissions::from_mode(0o644))?;
    File::open(&files)?.sync_all()
}

fn is_whole(entry: &Path) -> bool {
    match (fs::read_to_string(entry.join("files")), list(&entry.join("made"))) {
        (Ok(noted), Ok(found)) => noted == found,
        _ => false,
    }
}

/// A line for each file: its size and its path.
fn list(folder: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
                continue;
            }
            let size = if kind.is_file() { entry.metadata()?.len() } else { 0 };
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path);
            lines.push(format!("{size} {}\n", name.display()));
        }
    }
    lines.sort();
    Ok(lines.concat())
}
