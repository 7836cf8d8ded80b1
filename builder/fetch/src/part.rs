//! The part of a file that has come so far. It outlives a cut, a Ctrl-C and the process.

use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use geminios_model::{Digest, Hasher};

use crate::store::{StoreError, at};

/// A file in the making, locked: of two processes that fetch the same, one waits for the other.
pub(crate) struct Part {
    file: File,
    path: PathBuf,
    len: u64,
    hasher: Hasher,
    /// Some bytes are from another run or another mirror than those to come.
    pub mixed: bool,
}

impl Part {
    /// The part at a path, with what an earlier run left in it; `waiting` is called when another process has it.
    pub fn open(path: PathBuf, waiting: &dyn Fn()) -> Result<Self, StoreError> {
        let file = open_locked(&path, waiting).map_err(at(&path))?;
        let mut part = Part { file, path, len: 0, hasher: Hasher::default(), mixed: false };
        let len = io::copy(&mut &part.file, &mut Feed(&mut part.hasher)).map_err(at(&part.path))?;
        part.len = len;
        part.mixed = len > 0;
        Ok(part)
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Takes the next bytes.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if let Err(error) = self.file.write_all(bytes) {
            // A disk that is full stays full as long as this stands there.
            drop(fs::remove_file(&self.path));
            return Err(at(&self.path)(error));
        }
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Throws all bytes away.
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0))).map_err(at(&self.path))?;
        self.hasher = Hasher::default();
        self.len = 0;
        self.mixed = false;
        Ok(())
    }

    /// Digest of the bytes so far.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish().0
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file: nobody goes on with it.
    pub fn discard(self) {
        drop(fs::remove_file(&self.path));
    }
}

fn open_locked(path: &Path, waiting: &dyn Fn()) -> io::Result<File> {
    loop {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever had the lock may have given the file its final name, or removed it.
        let ours = file.metadata()?;
        if fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
}

struct Feed<'a>(&'a mut Hasher);

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
