//! What is kept, or was left, in the folders of the cache.

use std::fs::{self, DirEntry, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// A file or folder is made first and locked next. Between the two it looks like the work of a dead process, so
/// what is younger stays.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A download that was cut is worth going on with for so long.
const FORTNIGHT: Duration = Duration::from_secs(14 * 24 * 3600);

/// The ending of downloads that can be gone on with.
pub(crate) const PART: &str = "part";

/// Removes what nobody holds a lock on and is older than `age`. Whoever works on a file or folder here holds its
/// lock; the kernel lets go of it when the process ends, however it ends.
pub(crate) fn remove(unfinished: &Path, age: Duration) -> io::Result<()> {
    for entry in fs::read_dir(unfinished)? {
        // Other processes tidy up as well; what is gone meanwhile needs no care.
        let Ok(entry) = entry else { continue };
        let part = entry.path().extension().is_some_and(|e| e == PART);
        let age = if part && !age.is_zero() { FORTNIGHT } else { age };
        if is_older(&entry, age) && is_dead(&entry.path()) {
            drop(fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path())));
        }
    }
    Ok(())
}

fn is_older(entry: &DirEntry, age: Duration) -> bool {
    let modified = entry.metadata().and_then(|m| m.modified());
    age.is_zero() || modified.is_ok_and(|at| at.elapsed().is_ok_and(|elapsed| elapsed > age))
}

fn is_dead(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => !matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// Removes all of a folder but one that is in it.
pub(crate) fn remove_all_but(folder: &Path, stays: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path == stays {
            continue;
        }
        let removed = if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Bytes of all files below a folder; what vanishes meanwhile does not count.
pub(crate) fn folder_size(folder: &Path) -> io::Result<u64> {
    let mut total = 0;
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        let entries = match fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries.flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => open.push(entry.path()),
                Ok(metadata) => total += metadata.len(),
                Err(_) => {}
            }
        }
    }
    Ok(total)
}
