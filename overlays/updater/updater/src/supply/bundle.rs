//! A repository as one file.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use geminios_update_format::bundle::{Entry, index};

use crate::supply::{Supply, SupplyError, Want};

/// Where its files lie in it. What they hold is checked by whoever reads them, as everywhere else.
pub struct Bundle {
    path: PathBuf,
    file: File,
    entries: BTreeMap<String, Entry>,
}

impl Bundle {
    /// Reads the heads of all its files: one that is cut is refused here.
    ///
    /// # Errors
    /// It is no bundle, or not a whole one.
    pub fn open(path: &Path) -> Result<Self, SupplyError> {
        let file = File::open(path).map_err(SupplyError::io(path))?;
        let metadata = file.metadata().map_err(SupplyError::io(path))?;
        let mut read = |at, buffer: &mut [u8]| file.read_exact_at(buffer, at);
        let entries = index(metadata.len(), &mut read).map_err(|error| {
            let problem = error.to_string();
            SupplyError::Bundle { path: path.to_owned(), problem }
        })?;
        Ok(Bundle { path: path.to_owned(), file, entries })
    }

    fn read(&self, entry: Entry, offset: u64, length: u64) -> Result<Vec<u8>, SupplyError> {
        let mut bytes = vec![0; length as usize];
        let read = self.file.read_exact_at(&mut bytes, entry.offset + offset);
        read.map_err(SupplyError::io(&self.path)).map(|()| bytes)
    }
}

impl Supply for Bundle {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn file(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, SupplyError> {
        match self.entries.get(name) {
            None => Ok(None),
            Some(entry) if entry.size > most => {
                Err(SupplyError::TooLong { file: name.to_owned(), place: self.place(), most })
            }
            Some(entry) => self.read(*entry, 0, entry.size).map(Some),
        }
    }

    fn has(&mut self, want: &Want) -> bool {
        self.entries.contains_key(&want.blob.path())
    }

    fn stretch(&mut self, want: &Want) -> Result<Vec<u8>, SupplyError> {
        let (file, place) = (want.blob.path(), self.place());
        match self.entries.get(&file) {
            None => Err(SupplyError::Missing { file, place }),
            Some(entry) if entry.size != want.blob.size => {
                Err(SupplyError::Length { file, place, expected: want.blob.size, seen: entry.size })
            }
            Some(entry) => self.read(*entry, want.range.offset, want.range.length),
        }
    }
}
