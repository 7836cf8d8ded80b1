//! The journal's file on /var.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use geminios_slots::device::JournalFile;

/// `journal` in a folder that is made when it is needed.
#[derive(Debug)]
pub struct JournalOnVar {
    folder: PathBuf,
}

impl JournalOnVar {
    pub fn in_folder(folder: &Path) -> Self {
        JournalOnVar { folder: folder.to_owned() }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("journal")
    }

    fn temporary(&self) -> PathBuf {
        self.folder.join("journal.new")
    }
}

impl JournalFile for JournalOnVar {
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.file()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some),
        }
    }

    fn write_temporary(&mut self, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        File::create(self.temporary())?.write_all(bytes)
    }

    fn sync_temporary(&mut self) -> io::Result<()> {
        File::open(self.temporary())?.sync_all()
    }

    fn rename(&mut self) -> io::Result<()> {
        fs::rename(self.temporary(), self.file())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn room(&mut self) -> io::Result<u64> {
        fs::create_dir_all(&self.folder)?;
        let room = rustix::fs::statvfs(&self.folder)?;
        Ok(room.f_bavail * room.f_frsize)
    }
}
