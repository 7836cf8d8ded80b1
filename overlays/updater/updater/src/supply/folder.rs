//! A repository in a folder: on a stick, or a copy by hand.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::supply::{Supply, SupplyError, Want};

/// Its files as they lie there.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    pub fn new(path: &Path) -> Self {
        Folder { path: path.to_owned() }
    }

    fn open(&self, name: &str) -> Result<Option<(PathBuf, File)>, SupplyError> {
        let path = self.path.join(name);
        // A pipe on a stick would be waited for without end.
        let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = match File::options().read(true).custom_flags(flags).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(SupplyError::io(&path))?,
        };
        if !file.metadata().map_err(SupplyError::io(&path))?.is_file() {
            let what = format!("{}: not a plain file", path.display());
            return Err(SupplyError::Place { what, help: "copy the repository again as a whole" });
        }
        Ok(Some((path, file)))
    }
}

impl Supply for Folder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn file(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SupplyError> {
        let Some((path, file)) = self.open(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(SupplyError::io(&path))?;
        if bytes.len() as u64 > most {
            return Err(SupplyError::TooLong { file: name.to_owned(), place: self.place(), most });
        }
        Ok(Some(bytes))
    }

    fn has(&mut self, want: &Want) -> bool {
        self.path.join(want.blob.path()).is_file()
    }

    fn stretch(&mut self, want: &Want) -> Result<Vec<u8>, SupplyError> {
        let (file, place) = (want.blob.path(), self.place());
        let Some((path, open)) = self.open(&file)? else { return Err(SupplyError::Missing { file, place }) };
        let seen = open.metadata().map_err(SupplyError::io(&path))?.len();
        if seen != want.blob.size {
            return Err(SupplyError::Length { file, place, expected: want.blob.size, seen });
        }
        let mut bytes = vec![0; want.range.length as usize];
        open.read_exact_at(&mut bytes, want.range.offset).map_err(SupplyError::io(&path))?;
        Ok(bytes)
    }
}
