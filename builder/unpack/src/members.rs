//! The members of a package's data archive. What is not a plain folder, file or link at a plain path is refused.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

use geminios_model::TreePath;
use tar::{Archive, Entry, EntryType};

use crate::error::Fault;

/// One path that a package brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub path: TreePath,
    pub kind: MemberKind,
    /// Permission, set-id and sticky bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: u64,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberKind {
    Directory,
    /// Where the bytes stand in the unpacked data archive.
    File {
        offset: u64,
        size: u64,
    },
    Symlink(String),
    /// Another name for a file that came before.
    Hardlink(TreePath),
}

/// What a package may grow to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the unpacked archive.
    pub bytes: u64,
    pub members: usize,
}

/// Debian's largest packages have 60,000 members.
const MEMBERS: usize = 1_000_000;
/// No package of Debian's main comes near a hundredfold; small ones may, so that they get room.
const RATIO: u64 = 100;
const ROOM: u64 = 64 << 20;
const MOST: u64 = 8 << 30;

impl Limits {
    /// The limits for an archive of so many compressed bytes.
    pub fn for_size(compressed: u64) -> Self {
        Limits { bytes: compressed.saturating_mul(RATIO).saturating_add(ROOM).min(MOST), members: MEMBERS }
    }
}

/// Reads the members of an unpacked data archive.
///
/// # Errors
/// Paths that are absolute or climb, members through links, devices, sparse files, and all else that dpkg-deb
/// does not write; more members than `limits` allow.
pub fn members_of(mut data: impl Read + Seek, limits: Limits) -> Result<Vec<Member>, Fault> {
    let length = data.seek(SeekFrom::End(0))?;
    data.seek(SeekFrom::Start(0))?;
    let mut reader = Reader { length, ..Reader::default() };
    for entry in Archive::new(data).entries_with_seek()? {
        let mut entry = entry?;
        if reader.members.len() == limits.members {
            return Err(Fault::TooMany(limits.members));
        }
        reader.take(&mut entry)?;
    }
    Ok(reader.members)
}

#[derive(Default)]
struct Reader {
    /// Bytes of the archive.
    length: u64,
    members: Vec<Member>,
    files: BTreeSet<TreePath>,
    links: BTreeSet<TreePath>,
    seen: BTreeSet<TreePath>,
}

impl Reader {
    fn take<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), Fault> {
        let name = text(&entry.path_bytes())?;
        let path = TreePath::from_member(&name)?;
        self.check_place(&path)?;
        let header = entry.header();
        let number = |value: io::Result<u64>| {
            value.ok().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| Fault::Owner { path: name.clone() })
        };
        let (uid, gid) = (number(header.uid())?, number(header.gid())?);
        let mode = header.mode()?;
        if mode > 0o7777 {
            return Err(Fault::Owner { path: name });
        }
        let mtime = header.mtime()?;
        let kind = self.kind(entry, &path, &name)?;
        match &kind {
            MemberKind::File { .. } | MemberKind::Hardlink(_) => drop(self.files.insert(path.clone())),
            MemberKind::Symlink(_) => drop(self.links.insert(path.clone())),
            MemberKind::Directory => {}
        }
        self.members.push(Member { path, kind, mode, uid, gid, mtime });
        Ok(())
    }

    fn check_place(&mut self, path: &TreePath) -> Result<(), Fault> {
        let mut parent = path.parent();
        while let Some(folder) = parent {
            if self.links.contains(&folder) || self.files.contains(&folder) {
                return Err(Fault::ThroughLink { path: path.to_string(), link: folder.to_string() });
            }
            parent = folder.parent();
        }
        if !self.seen.insert(path.clone()) {
            return Err(Fault::Twice(path.to_string()));
        }
        Ok(())
    }

    fn kind<R: Read>(&self, entry: &mut Entry<'_, R>, path: &TreePath, name: &str) -> Result<MemberKind, Fault> {
        let kind = entry.header().entry_type();
        if has_sparse_keys(entry)? {
            return Err(Fault::Kind { path: name.to_owned(), kind: "sparse file".into() });
        }
        let target = |entry: &Entry<'_, R>| -> Result<String, Fault> {
            let bytes = entry.link_name_bytes().ok_or_else(|| Fault::Target { path: name.to_owned() })?;
            let target = text(&bytes)?;
            let plain = !target.is_empty() && target.len() < 4096 && !target.contains(['\0', '\n']);
            if plain { Ok(target) } else { Err(Fault::Target { path: name.to_owned() }) }
        };
        match kind {
            EntryType::Directory => Ok(MemberKind::Directory),
            EntryType::Regular | EntryType::Continuous if !name.ends_with('/') => {
                let (offset, size) = (entry.raw_file_position(), entry.size());
                // The archive is skimmed, so nobody else would notice a file that is cut short.
                if size > self.length.saturating_sub(offset) {
                    let cut = io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} should have {size} bytes"));
                    return Err(Fault::Broken(cut));
                }
                Ok(MemberKind::File { offset, size })
            }
            EntryType::Symlink => Ok(MemberKind::Symlink(target(entry)?)),
            EntryType::Link => {
                let text = target(entry)?;
                let target = TreePath::from_member(&text)?;
                if target == *path || !self.files.contains(&target) {
                    return Err(Fault::HardLink { path: name.to_owned(), target: text });
                }
                Ok(MemberKind::Hardlink(target))
            }
            other => Err(Fault::Kind { path: name.to_owned(), kind: describe(other).into() }),
        }
    }
}

/// Sparse files in the pax format hide behind ordinary ones: their keys tell.
fn has_sparse_keys<R: Read>(entry: &mut Entry<'_, R>) -> Result<bool, Fault> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(false) };
    for extension in extensions {
        if extension?.key_bytes().starts_with(b"GNU.sparse") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn describe(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Char => "character device",
        EntryType::Block => "block device",
        EntryType::Fifo => "named pipe",
        EntryType::GNUSparse => "sparse file",
        _ => "member of unknown kind",
    }
}

fn text(bytes: &[u8]) -> Result<String, Fault> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| Fault::NotText(String::from_utf8_lossy(bytes).into_owned()))
}
