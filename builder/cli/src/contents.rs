//! Reads the root file system of a disk image with a reader that shares no code with what wrote it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use erofs_rs::{EroFS, backend::MmapImage, types::Inode};
use geminios_model::Digest;
use memmap2::MmapOptions;
use serde::Serialize;

/// A root file system inside an image file.
pub struct Contents {
    files: EroFS<MmapImage>,
}

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    #[serde(flatten)]
    pub node: Node,
    /// Permission bits, octal.
    pub mode: String,
    pub uid: u32,
    pub gid: u32,
}

/// The kinds of paths that an image holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Node {
    Directory,
    File { size: u64, sha256: Digest },
    Symlink { target: String },
    Other,
}

impl Node {
    /// Bytes of a file; nothing for all else.
    pub fn size(&self) -> u64 {
        match self {
            Node::File { size, .. } => *size,
            _ => 0,
        }
    }

    /// What a listing shows behind the path.
    pub fn suffix(&self) -> String {
        match self {
            Node::Directory => "/".into(),
            Node::File { size, sha256 } => format!(" {size} {sha256}"),
            Node::Symlink { target } => format!(" -> {target}"),
            Node::Other => " (special)".into(),
        }
    }
}

impl Contents {
    /// The file system that begins `start` bytes into `file`.
    pub fn open(file: &File, start: u64, size: u64) -> Result<Self> {
        let length = usize::try_from(size).context("the file system is too large for this host")?;
        // SAFETY: the mapping is only read; whoever changes an image while it is inspected gets a wrong report
        // or a bus error, and harms nobody else.
        let map = unsafe { MmapOptions::new().offset(start).len(length).map(file) }?;
        let files =
            EroFS::new(MmapImage::new(map)).context("there is no erofs file system in the root slot")?;
        Ok(Contents { files })
    }

    /// A file's bytes.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.files
            .open(path)
            .with_context(|| format!("{path} is not in the image"))?
            .read_to_end(&mut bytes)
            .with_context(|| format!("{path} cannot be read"))?;
        Ok(bytes)
    }

    /// Every path below the root, with the digest of every file.
    pub fn list(&self) -> Result<BTreeMap<String, Entry>> {
        let mut list = BTreeMap::new();
        for found in self.files.walk_dir("/")? {
            let found = found?;
            let path = String::from_utf8_lossy(found.dir_entry.path().as_bytes()).into_owned();
            let entry = self.entry(&found.inode).with_context(|| format!("{path} cannot be read"))?;
            list.insert(path, entry);
        }
        Ok(list)
    }

    fn entry(&self, inode: &Inode) -> Result<Entry> {
        let node = if inode.is_dir() {
            Node::Directory
        } else if inode.is_symlink() {
            let target = self.files.read_link_inode(*inode)?;
            Node::Symlink { target: String::from_utf8_lossy(target.as_bytes()).into_owned() }
        } else if inode.is_file() {
            let (sha256, size) = Digest::of_reader(self.files.open_inode_file(*inode)?)?;
            Node::File { size, sha256 }
        } else {
            Node::Other
        };
        let mode = format!("{:04o}", inode.permissions().mode() & 0o7777);
        Ok(Entry { node, mode, uid: inode.uid(), gid: inode.gid() })
    }
}
