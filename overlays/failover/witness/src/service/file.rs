use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::kept::MOST;
use crate::{Error, Kept};

/// A site's register on disk. Written under another name, synced, renamed, and the folder synced: after a power cut the old text
/// is there or the new one.
#[derive(Debug)]
pub struct File {
    folder: PathBuf,
    path: PathBuf,
}

/// Why a text was not written.
pub enum Failed {
    /// The old one is there.
    Unchanged(io::Error),
    /// The old one or the new one is there, and after a power cut perhaps the other one.
    Unknown(io::Error),
}

impl File {
    pub fn of(folder: &Path, site: &str) -> Self {
        File { folder: folder.to_owned(), path: folder.join(format!("{site}.register")) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn read(&self, site: &str) -> Result<Kept, Error> {
        let place = self.path.display().to_string();
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::missing(&place)),
            Err(error) => return Err(Error::damaged(&place, error)),
        };
        Kept::parse(site, &text).map_err(|problem| Error::damaged(&place, problem))
    }

    /// Only one at a time may write.
    pub(crate) fn write(&self, kept: &Kept) -> Result<(), Failed> {
        let new = self.path.with_extension("new");
        let written = write_new(&new, kept.to_text().as_bytes());
        if let Err(error) = written {
            let _ = fs::remove_file(&new);
            return Err(Failed::Unchanged(error));
        }
        fs::rename(&new, &self.path).map_err(Failed::Unknown)?;
        sync_folder(&self.folder).map_err(Failed::Unknown)
    }

    /// Makes the register of a new site; one that is there is left, and is an error.
    pub fn make(&self, site: &str) -> io::Result<()> {
        let kept = Kept::empty(site).ok_or_else(|| io::Error::other("the system gives no randomness"))?;
        let new = self.path.with_extension("made");
        write_new(&new, kept.to_text().as_bytes())?;
        let linked = fs::hard_link(&new, &self.path);
        fs::remove_file(&new)?;
        linked?;
        sync_folder(&self.folder)
    }
}

/// A small file, whole; one that is too long is cut, and has a wrong checksum.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, MOST as u64), &mut text)?;
    Ok(text)
}

/// Writes and syncs a file that nobody but the owner reads.
pub(crate) fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

/// A name is on disk when its folder is synced (fsync(2)).
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}
