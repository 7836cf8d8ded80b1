use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use geminios_model::Digest;

/// The bytes of a file: in memory if small and made here, else a range of a file in the store.
#[derive(Clone, Debug)]
pub enum Content {
    Blob {
        /// File that holds the bytes.
        path: Arc<Path>,
        offset: u64,
        size: u64,
        /// Digest of the whole file that holds them.
        id: Digest,
    },
    Bytes(Arc<[u8]>),
}

impl Content {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Content::Blob { size, .. } => *size,
            Content::Bytes(bytes) => bytes.len() as u64,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, one after the other; exactly [`Content::len`] of them unless the store is damaged meanwhile.
    ///
    /// # Errors
    /// Those of opening the store's file.
    pub fn reader(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        match self {
            Content::Bytes(bytes) => Ok(Box::new(Cursor::new(&bytes[..]))),
            Content::Blob { path, offset, size, .. } => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(*offset))?;
                Ok(Box::new(file.take(*size)))
            }
        }
    }

    /// All bytes at once. For small files.
    ///
    /// # Errors
    /// Those of reading the store's file; too few bytes in it.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader()?.read_to_end(&mut bytes)?;
        if bytes.len() as u64 != self.len() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the store's file is too short"));
        }
        Ok(bytes)
    }

    /// A name for these bytes: equal names mean equal bytes (equal bytes may have several names).
    pub fn identity(&self) -> String {
        match self {
            Content::Blob { offset, size, id, .. } => format!("{id}+{offset}+{size}"),
            Content::Bytes(bytes) => format!("{}+0+{}", Digest::of(bytes), bytes.len()),
        }
    }

    /// Whether both hold the same bytes, whatever their names.
    ///
    /// # Errors
    /// Those of reading the store's files.
    pub fn same_bytes(&self, other: &Content) -> io::Result<bool> {
        if self.len() != other.len() {
            return Ok(false);
        }
        if self.identity() == other.identity() {
            return Ok(true);
        }
        Ok(Digest::of_reader(self.reader()?)? == Digest::of_reader(other.reader()?)?)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content::Bytes(bytes.into())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        text.as_bytes().to_vec().into()
    }
}
