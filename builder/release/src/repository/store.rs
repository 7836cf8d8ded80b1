//! The files of a repository: each is there as a whole or not at all.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use geminios_update_format::Digest;
use geminios_update_format::metadata::RoleName;
use geminios_update_format::release::Blob;

use crate::error::ReleaseError;

/// Names of files that are being written begin so. Whoever copies a repository may leave them out.
pub(crate) const TEMPORARY: &str = ".new-";
/// Held while a process publishes.
pub(crate) const LOCK: &str = ".lock";

/// Where a write stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing was written.
    Before,
    /// The file has its temporary name, and perhaps not all of its bytes.
    Written,
    /// The file has its name.
    Renamed,
}

/// Called at every moment of every write; an error ends the publishing there, as a crash would. For tests.
pub type Hook = Box<dyn Fn(Moment, &Path) -> io::Result<()> + Send + Sync>;

pub(crate) struct Store {
    pub dir: PathBuf,
    pub hook: Option<Hook>,
    count: AtomicU64,
}

impl Store {
    pub fn new(dir: &Path) -> Self {
        Store { dir: dir.to_owned(), hook: None, count: AtomicU64::new(0) }
    }

    /// Excludes other publishers until the file is closed, and removes what an interrupted one left.
    pub fn lock(&self) -> Result<File, ReleaseError> {
        fs::create_dir_all(&self.dir).map_err(ReleaseError::io(&self.dir))?;
        let path = self.dir.join(LOCK);
        let file = File::options().create(true).append(true).open(&path).map_err(ReleaseError::io(&path))?;
        // A program that this process starts elsewhere has the lock that was just let go, until it runs its own code.
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < 50 => tries += 1,
                Err(TryLockError::WouldBlock) => return Err(ReleaseError::Busy(self.dir.clone())),
                Err(TryLockError::Error(error)) => return Err(ReleaseError::io(&path)(error)),
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        for path in walk(&self.dir).map_err(ReleaseError::io(&self.dir))? {
            if is_temporary(&path) {
                fs::remove_file(&path).map_err(ReleaseError::io(&path))?;
            }
        }
        Ok(file)
    }

    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ReleaseError> {
        let path = self.dir.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ReleaseError::io(&path)(error)),
        }
    }

    /// A file of metadata that must be there.
    pub fn metadata(&self, role: RoleName, version: u64) -> Result<Vec<u8>, ReleaseError> {
        let file = format!("metadata/{}", role.file(version));
        let missing = || ReleaseError::Damaged { file: file.clone(), problem: "not there".to_owned() };
        self.read(&file)?.ok_or_else(missing)
    }

    /// Writes a file under a temporary name, then gives it its own.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ReleaseError> {
        let path = self.dir.join(name);
        self.put_at(&path, bytes).map_err(ReleaseError::io(&path))
    }

    fn put_at(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let hook = |moment| self.hook.as_ref().map_or(Ok(()), |hook| hook(moment, path));
        let folder = path.parent().unwrap_or(&self.dir);
        hook(Moment::Before)?;
        self.folder(folder)?;
        let temporary = folder.join(format!("{TEMPORARY}{}", self.count.fetch_add(1, Ordering::Relaxed)));
        let mut file = File::create(&temporary)?;
        let (half, rest) = bytes.split_at(bytes.len() / 2);
        file.write_all(half)?;
        hook(Moment::Written)?;
        file.write_all(rest)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        hook(Moment::Renamed)?;
        File::open(folder)?.sync_all()
    }

    /// Makes a folder and syncs those that a new one stands in: else its files might be gone with it.
    fn folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        let above = folder.ancestors().skip(1).take_while(|above| above.starts_with(&self.dir));
        above.into_iter().try_for_each(|above| File::open(above)?.sync_all())
    }

    /// Writes a blob, unless it is there and whole.
    pub fn blob(&self, bytes: &[u8]) -> Result<Blob, ReleaseError> {
        let blob = Blob::of(bytes);
        let path = self.dir.join(blob.path());
        if fs::metadata(&path).is_ok_and(|file| file.len() == blob.size)
            && fs::read(&path).is_ok_and(|there| there == bytes)
        {
            return Ok(blob);
        }
        self.put(&blob.path(), bytes)?;
        Ok(blob)
    }

    /// Reads a blob and checks it; the error is what is wrong.
    pub fn read_blob(&self, blob: &Blob) -> Result<Vec<u8>, String> {
        let bytes = self.read(&blob.path()).map_err(|error| error.to_string())?;
        checked(blob, bytes)
    }
}

/// Whether these are the bytes of a blob.
pub(crate) fn checked(blob: &Blob, bytes: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let bytes = bytes.ok_or("not there")?;
    let seen = Digest::of(&bytes);
    if bytes.len() as u64 != blob.size {
        return Err(format!("{} bytes, expected {}", bytes.len(), blob.size));
    }
    if seen == blob.sha256 { Ok(bytes) } else { Err(format!("its SHA-256 is {seen}")) }
}

pub(crate) fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY))
}

/// All files below a folder, sorted. Links are not followed.
pub(crate) fn walk(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}
