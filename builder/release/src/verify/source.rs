//! The files of a repository, wherever they lie.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use geminios_model::{Progress, Unit};
use geminios_update_format::Digest;
use geminios_update_format::bundle::{self, Entry};
use geminios_update_format::release::Blob;
use rayon::prelude::*;

use crate::repository::{LOCK, checked, is_temporary, walk};
use crate::verify::{Finding, Report};

/// A folder or a bundle.
pub struct Source {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    Folder,
    Bundle(File, BTreeMap<String, Entry>),
}

impl Source {
    /// A bundle that is cut is refused here, by the file that is hit.
    pub fn open(path: &Path) -> Result<Self, String> {
        let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
        if metadata.is_dir() {
            return Ok(Source { path: path.to_owned(), kind: Kind::Folder });
        }
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut read_at = |at: u64, buffer: &mut [u8]| file.read_exact_at(buffer, at);
        let entries = bundle::index(metadata.len(), &mut read_at).map_err(|error| error.to_string())?;
        Ok(Source { path: path.to_owned(), kind: Kind::Bundle(file, entries) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_bundle(&self) -> bool {
        matches!(self.kind, Kind::Bundle(..))
    }

    /// A file of at most `most` bytes; None if it is not there.
    pub fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        let too_long = || format!("longer than the {most} bytes it may have");
        match &self.kind {
            Kind::Bundle(file, entries) => {
                let Some(entry) = entries.get(name) else { return Ok(None) };
                if entry.size > most {
                    return Err(too_long());
                }
                let mut bytes = vec![0; entry.size as usize];
                file.read_exact_at(&mut bytes, entry.offset).map_err(|error| error.to_string())?;
                Ok(Some(bytes))
            }
            Kind::Folder => {
                let file = match File::open(self.path.join(name)) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    file => file.map_err(|error| error.to_string())?,
                };
                let mut bytes = Vec::new();
                file.take(most.saturating_add(1))
                    .read_to_end(&mut bytes)
                    .map_err(|error| error.to_string())?;
                if bytes.len() as u64 > most { Err(too_long()) } else { Ok(Some(bytes)) }
            }
        }
    }

    /// A blob, compared with its size and digest.
    pub fn blob(&self, blob: &Blob) -> Result<Vec<u8>, String> {
        checked(blob, self.read(&blob.path(), blob.size)?)
    }

    pub fn has(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Bundle(_, entries) => entries.contains_key(name),
            Kind::Folder => self.path.join(name).is_file(),
        }
    }

    fn names(&self) -> Result<Vec<(String, u64)>, String> {
        match &self.kind {
            Kind::Bundle(_, entries) => {
                Ok(entries.iter().map(|(name, entry)| (name.clone(), entry.size)).collect())
            }
            Kind::Folder => {
                let mut names = Vec::new();
                for path in walk(&self.path).map_err(|error| error.to_string())? {
                    let size = std::fs::metadata(&path).map_err(|error| error.to_string())?.len();
                    let name = path.strip_prefix(&self.path).unwrap_or(&path).to_string_lossy().into_owned();
                    if !is_temporary(&path) && name != LOCK {
                        names.push((name, size));
                    }
                }
                Ok(names)
            }
        }
    }

    /// Compares every file whose name has a digest with it.
    pub(super) fn names_match(&self, report: &mut Report, progress: &dyn Progress) {
        let names = match self.names() {
            Ok(names) => names,
            Err(problem) => return report.find(self.path.display().to_string(), problem),
        };
        report.files = names.len();
        report.bytes = names.iter().map(|(_, size)| size).sum();
        progress.begin("digests", report.bytes, Unit::Bytes);
        let wrong = |(name, size): &(String, u64)| {
            let expected = digest_in(name);
            let problem = match (expected, self.read(name, *size)) {
                (_, Err(problem)) => Some(problem),
                (Some(expected), Ok(bytes)) => {
                    let seen = Digest::of(&bytes.unwrap_or_default());
                    (seen != expected).then(|| format!("its SHA-256 is {seen}"))
                }
                (None, Ok(_)) if name.starts_with("metadata/") => None,
                (None, Ok(_)) => Some("no file of a repository".to_owned()),
            };
            progress.advance("digests", *size);
            problem.map(|problem| Finding { file: name.clone(), problem })
        };
        report.findings.extend(names.par_iter().filter_map(wrong).collect::<Vec<Finding>>());
        progress.end("digests", &format!("{} files", report.files));
    }
}

/// Of `blobs/AB/ABCDEF…` and `targets/…/HASH.NAME`.
fn digest_in(name: &str) -> Option<Digest> {
    let (folder, file) = name.rsplit_once('/')?;
    if folder.starts_with("targets/") {
        return Digest::parse(file.split_once('.')?.0);
    }
    let digest = Digest::parse(file)?;
    (name == Blob { sha256: digest, size: 0 }.path()).then_some(digest)
}
