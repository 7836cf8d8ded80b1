use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use geminios_model::{Digest, Hasher};
use tempfile::NamedTempFile;

use crate::leftovers;
use crate::part::Part;

/// Files by the SHA-256 digest of their bytes. Any number of processes may use one store at once: a file appears
/// under its name whole and checked, or not at all.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// A file in the store whose bytes were checked when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    pub path: PathBuf,
}

/// Why the store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{}: {error}\n  help: {}", path.display(), remedy(error))]
    Io { path: PathBuf, error: io::Error },
    #[error("the bytes have digest {found} and length {found_size}, not {expected} and {expected_size}")]
    Mismatch { expected: Digest, expected_size: u64, found: Digest, found_size: u64 },
    #[error("{0}")]
    Source(io::Error),
}

pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room there, or give another folder with --cache"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "make it writable for you, or give another folder with --cache"
        }
        _ => "look at the disk, or give another folder with --cache",
    }
}

/// Puts the path that failed beside an I/O error.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    move |error| StoreError::Io { path: path.to_owned(), error }
}

impl Blob {
    /// The file, to read.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

impl Store {
    /// The store in a cache folder, made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn open(cache: &Path) -> Result<Self, StoreError> {
        let store = Store { root: cache.join("store") };
        let unfinished = store.unfinished();
        fs::create_dir_all(&unfinished).map_err(at(&unfinished))?;
        // Shows at once, and not after a long download, that the folder is not ours.
        for folder in [&store.root, &unfinished] {
            tempfile::tempfile_in(folder).map_err(at(folder))?;
        }
        leftovers::remove(&unfinished, leftovers::HOUR).map_err(at(&unfinished))?;
        Ok(store)
    }

    /// Where files wait until they are whole.
    pub(crate) fn unfinished(&self) -> PathBuf {
        self.root.join("unfinished")
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join(&name[..2]).join(name)
    }

    /// A file of the store. Its bytes are checked; a damaged one is removed and counts as missing.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn get(&self, digest: &Digest) -> Result<Option<Blob>, StoreError> {
        let path = self.path(digest);
        match read(&path)? {
            None => Ok(None),
            Some((found, size)) if found == *digest => Ok(Some(Blob { digest: found, size, path })),
            Some(_) => self.remove_damaged(digest, path),
        }
    }

    /// Looks again under a lock: another process may have removed it, and put a good one in its place.
    fn remove_damaged(&self, digest: &Digest, path: PathBuf) -> Result<Option<Blob>, StoreError> {
        let lock = File::open(&self.root).map_err(at(&self.root))?;
        lock.lock().map_err(at(&self.root))?;
        match read(&path)? {
            Some((found, size)) if found == *digest => return Ok(Some(Blob { digest: found, size, path })),
            Some(_) => fs::remove_file(&path).map_err(at(&path))?,
            None => {}
        }
        Ok(None)
    }

    /// Whether there is a file under that name, damaged or not.
    pub(crate) fn is_there(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// Whether a file of that digest and size is there, without a look at its bytes.
    pub fn has(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.path(digest)).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
    }

    /// Takes all that `reader` gives into the store, if it is what was expected.
    ///
    /// # Errors
    /// Other bytes than expected; the reader fails; the store cannot be written. Nothing is kept then.
    pub fn put(&self, reader: impl Read, expected: Option<(Digest, u64)>) -> Result<Blob, StoreError> {
        let folder = self.unfinished();
        let mut file = NamedTempFile::new_in(&folder).map_err(at(&folder))?;
        // Tells those who tidy up that the file has an owner.
        file.as_file().lock().map_err(at(&folder))?;
        let mut hashing =
            Hashing { file: &mut file, folder: &folder, hasher: Hasher::default(), failed: None };
        let limit = expected.map_or(u64::MAX, |(_, size)| size.saturating_add(1));
        if let Err(error) = io::copy(&mut reader.take(limit), &mut hashing) {
            return Err(hashing.failed.take().unwrap_or(StoreError::Source(error)));
        }
        let (found, found_size) = hashing.hasher.finish();
        if let Some((expected, expected_size)) = expected
            && (expected, expected_size) != (found, found_size)
        {
            return Err(StoreError::Mismatch { expected, expected_size, found, found_size });
        }
        self.settle(file.as_file(), &found)?;
        let path = self.path(&found);
        file.persist(&path).map_err(|error| at(&path)(error.error))?;
        self.settled(Blob { digest: found, size: found_size, path })
    }

    /// Takes bytes into the store.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Blob, StoreError> {
        self.put(bytes, None)
    }

    /// Takes a finished download, if it is what was expected. It is in this store's file system already.
    pub(crate) fn adopt(&self, part: Part, expected: Digest, size: u64) -> Result<Blob, StoreError> {
        let (found, found_size) = (part.digest(), part.len());
        if (expected, size) != (found, found_size) {
            return Err(StoreError::Mismatch { expected, expected_size: size, found, found_size });
        }
        self.settle(part.file(), &found)?;
        let path = self.path(&found);
        fs::rename(part.path(), &path).map_err(at(&path))?;
        self.settled(Blob { digest: found, size, path })
    }

    /// Makes a file ready for its name.
    fn settle(&self, file: &File, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(at(folder))?;
        // Independent of the umask: others of the machine may share the store.
        file.set_permissions(Permissions::from_mode(0o644)).map_err(at(&path))?;
        file.sync_all().map_err(at(&path))
    }

    /// Makes a name outlive a power cut.
    fn settled(&self, blob: Blob) -> Result<Blob, StoreError> {
        let folder = blob.path.parent().unwrap_or(&self.root);
        File::open(folder).and_then(|dir| dir.sync_all()).map_err(at(folder))?;
        Ok(blob)
    }

    /// Bytes of all that is kept.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn size(&self) -> Result<u64, StoreError> {
        leftovers::folder_size(&self.root).map_err(at(&self.root))
    }

    /// Removes all that is kept, but not what another process is writing.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn clear(&self) -> Result<(), StoreError> {
        let unfinished = self.unfinished();
        leftovers::remove_all_but(&self.root, &unfinished).map_err(at(&self.root))?;
        leftovers::remove(&unfinished, Duration::ZERO).map_err(at(&unfinished))
    }
}

/// Digest and size of a file, if it is there.
fn read(path: &Path) -> Result<Option<(Digest, u64)>, StoreError> {
    match File::open(path).and_then(Digest::of_reader) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}

/// Writes to a file and digests on the way.
struct Hashing<'a> {
    file: &'a mut NamedTempFile,
    folder: &'a Path,
    hasher: Hasher,
    failed: Option<StoreError>,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                self.failed = Some(at(self.folder)(error));
            }
            io::Error::from(kind)
        })?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
