use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use geminios_fetch::{Blob, Store, StoreError};
use geminios_model::{Digest, LockedBlob};
use serde::Deserialize;

use crate::document::Descriptor;
use crate::error::{ImageError, at};
use crate::resolve::Document;

/// An index.json that lists more is none (8 MiB).
const LARGEST_INDEX: u64 = 8 << 20;

/// An OCI archive of somebody else. Nothing in it is believed before its digest was looked at.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    /// Where each member's bytes are: offset and length.
    members: BTreeMap<String, (u64, u64)>,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

impl Archive {
    /// Reads what an archive holds.
    ///
    /// # Errors
    /// It is not there, or no OCI archive.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let mut file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ImageError::NoArchive(path.to_owned()),
            _ => at(path)(error),
        })?;
        let metadata = file.metadata().map_err(at(path))?;
        if metadata.is_dir() {
            return Err(ImageError::Folder(path.to_owned()));
        }
        if let Some(by) = compressed(&mut file).map_err(at(path))? {
            return Err(ImageError::Compressed { path: path.to_owned(), by });
        }
        let not_oci = |why: String| ImageError::NotOci { path: path.to_owned(), why };
        let broken = |error: io::Error| not_oci(format!("it cannot be read as a tar: {error}"));
        let mut members = BTreeMap::new();
        let mut tar = tar::Archive::new(file);
        for entry in tar.entries_with_seek().map_err(broken)? {
            let entry = entry.map_err(broken)?;
            if !entry.header().entry_type().is_file() {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            let (offset, size) = (entry.raw_file_position(), entry.size());
            if offset.checked_add(size).is_none_or(|end| end > metadata.len()) {
                return Err(ImageError::Truncated { path: path.to_owned(), member: name });
            }
            members.insert(name, (offset, size));
        }
        let has = |name: &str| members.contains_key(name);
        match (has("oci-layout") && has("index.json"), has("manifest.json")) {
            (true, _) => Ok(Archive { path: path.to_owned(), members }),
            (false, true) => Err(ImageError::DockerSave(path.to_owned())),
            (false, false) => Err(not_oci("it has no oci-layout and index.json".into())),
        }
    }

    /// A document, checked.
    ///
    /// # Errors
    /// The archive does not have it, or has other bytes under its name.
    pub fn document(&self, wanted: &Document) -> Result<Vec<u8>, ImageError> {
        let Document { kind, digest, size } = *wanted;
        let Some((offset, found)) = self.member(&digest) else {
            return Err(match size {
                None => self.not_inside(digest),
                Some(_) => ImageError::NoBlob { path: self.path.clone(), kind, digest },
            });
        };
        self.check_size(digest, size.unwrap_or(found.min(LARGEST_INDEX)), found)?;
        let mut bytes = Vec::new();
        self.reader(offset, found)?.read_to_end(&mut bytes).map_err(at(&self.path))?;
        match Digest::of(&bytes) {
            is if is == digest => Ok(bytes),
            found => Err(ImageError::WrongBlob { path: self.path.clone(), digest, found }),
        }
    }

    /// Takes a blob into the store.
    ///
    /// # Errors
    /// The archive does not have it, or has other bytes under its name; the store cannot be used.
    pub fn take(&self, wanted: &LockedBlob, store: &Store) -> Result<Blob, ImageError> {
        if let Some(blob) = store.get(&wanted.sha256)? {
            return Ok(blob);
        }
        let LockedBlob { kind, sha256: digest, size } = *wanted;
        let (offset, found) = self.member(&digest).ok_or_else(|| ImageError::NoBlob {
            path: self.path.clone(),
            kind,
            digest,
        })?;
        self.check_size(digest, size, found)?;
        match store.put(self.reader(offset, size)?, Some((digest, size))) {
            Ok(blob) => Ok(blob),
            Err(StoreError::Mismatch { found, .. }) => {
                Err(ImageError::WrongBlob { path: self.path.clone(), digest, found })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn member(&self, digest: &Digest) -> Option<(u64, u64)> {
        self.members.get(&format!("blobs/sha256/{digest}")).copied()
    }

    fn check_size(&self, digest: Digest, size: u64, found: u64) -> Result<(), ImageError> {
        match size == found {
            true => Ok(()),
            false => Err(ImageError::WrongSize { path: self.path.clone(), digest, size, found }),
        }
    }

    fn reader(&self, offset: u64, size: u64) -> Result<impl Read + use<>, ImageError> {
        let mut file = File::open(&self.path).map_err(at(&self.path))?;
        file.seek(SeekFrom::Start(offset)).map_err(at(&self.path))?;
        Ok(file.take(size))
    }

    /// Whoever asks for a digest that is not there has mostly the one of something near it.
    fn not_inside(&self, digest: Digest) -> ImageError {
        let (offset, size) = self.members["index.json"];
        let mut text = Vec::new();
        let read = self.reader(offset, size.min(LARGEST_INDEX)).map(|mut file| file.read_to_end(&mut text));
        let index: Option<Index> = read.ok().and_then(|_| serde_json::from_slice(&text).ok());
        let others = index.into_iter().flat_map(|index| index.manifests).map(|found| {
            let name = ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
                .iter()
                .find_map(|key| found.annotations.get(*key));
            let name = name.map(|name| format!(" ({})", name.escape_debug())).unwrap_or_default();
            format!("sha256:{}{name}", found.digest)
        });
        ImageError::NotInside { path: self.path.clone(), digest, others: others.collect() }
    }
}

/// What a file is compressed with, by its first bytes (RFC 1952, RFC 8878, the xz file format).
fn compressed(file: &mut File) -> io::Result<Option<&'static str>> {
    let mut first = Vec::new();
    Read::by_ref(file).take(6).read_to_end(&mut first)?;
    file.seek(SeekFrom::Start(0))?;
    let magics: [(&[u8], _); 3] =
        [(&[0x1f, 0x8b], "gzip"), (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"), (b"\xfd7zXZ\0", "xz")];
    Ok(magics.into_iter().find(|(magic, _)| first.starts_with(magic)).map(|(_, by)| by))
}
