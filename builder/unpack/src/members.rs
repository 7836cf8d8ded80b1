//! The members of a package's data archive. What is not a plain folder, file or link at a plain path is refused.

use std::collections::HashMap;
use std::io::{Read, Seek};

use geminios_model::TreePath;

use crate::error::{Fault, shown};
use crate::tar::{Header, Headers, Kind};

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
    /// Only text: nothing is ever written through it.
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
    /// Bytes of all names and link targets.
    pub text: usize,
}

/// The largest packages of Debian have some 160,000 members, with 20 MB of names.
const MEMBERS: usize = 500_000;
const TEXT: usize = 64 << 20;
/// No package of Debian's main comes near a hundredfold; small ones may, so that they get room.
const RATIO: u64 = 100;
const ROOM: u64 = 64 << 20;
const MOST: u64 = 4 << 30;
/// The longest link target of Linux (PATH_MAX less the final NUL).
const LONGEST_TARGET: usize = 4095;

impl Limits {
    /// The limits for an archive of so many compressed bytes.
    pub fn for_size(compressed: u64) -> Self {
        let bytes = compressed.saturating_mul(RATIO).saturating_add(ROOM).min(MOST);
        Limits { bytes, members: MEMBERS, text: TEXT }
    }
}

/// Reads the members of an unpacked data archive.
///
/// # Errors
/// Paths that are absolute or climb, members through links, devices, sparse files, and all else that dpkg-deb
/// does not write; more members than `limits` allow.
pub fn members_of(data: impl Read + Seek, limits: Limits) -> Result<Vec<Member>, Fault> {
    let mut headers = Headers::new(data)?;
    let mut found = Found::default();
    let mut text = 0;
    while let Some(header) = headers.next()? {
        text += header.name.len() + header.target.len();
        if found.members.len() == limits.members {
            return Err(Fault::TooMany(limits.members));
        }
        if text > limits.text {
            return Err(Fault::TooMuchText(limits.text));
        }
        found.take(&header)?;
    }
    Ok(found.members)
}

#[derive(Default)]
struct Found {
    members: Vec<Member>,
    kinds: HashMap<TreePath, Kind>,
}

impl Found {
    fn take(&mut self, header: &Header) -> Result<(), Fault> {
        let path = TreePath::from_member(&header.name)?;
        self.check_place(&path)?;
        let kind = self.kind(header, &path)?;
        let id = |number: u64| {
            // The highest number means "no one" to chown(2).
            let id = u32::try_from(number).ok().filter(|id| *id != u32::MAX);
            id.ok_or_else(|| wrong(&path, "has an owner that Linux does not know"))
        };
        let member = Member {
            uid: id(header.uid)?,
            gid: id(header.gid)?,
            mode: mode(header, &path)?,
            mtime: header.mtime,
            path: path.clone(),
            kind,
        };
        self.members.push(member);
        self.kinds.insert(path, header.kind);
        Ok(())
    }

    /// dpkg-deb lists each folder before what is in it. So there is one way to a member, and it is known here.
    fn check_place(&self, path: &TreePath) -> Result<(), Fault> {
        if self.kinds.contains_key(path) {
            return Err(Fault::Twice(shown(path)));
        }
        let Some(folder) = path.parent().filter(|folder| folder.as_str() != "/") else { return Ok(()) };
        match self.kinds.get(&folder) {
            Some(Kind::Directory) => Ok(()),
            Some(Kind::Symlink) => Err(Fault::ThroughLink { path: shown(path), link: shown(&folder) }),
            _ => Err(Fault::NoFolder { path: shown(path) }),
        }
    }

    fn kind(&self, header: &Header, path: &TreePath) -> Result<MemberKind, Fault> {
        if path.as_str() == "/" && header.kind != Kind::Directory {
            return Err(wrong(path, "is no folder"));
        }
        match header.kind {
            Kind::Directory => Ok(MemberKind::Directory),
            Kind::Regular if header.name.ends_with('/') => {
                Err(wrong(path, "is a file with the name of a folder"))
            }
            Kind::Regular => Ok(MemberKind::File { offset: header.offset, size: header.size }),
            Kind::Symlink => {
                let target = &header.target;
                let plain = !target.is_empty()
                    && target.len() <= LONGEST_TARGET
                    && !target.contains(['\0', '\n', '\r']);
                if plain {
                    Ok(MemberKind::Symlink(target.clone()))
                } else {
                    Err(Fault::Target { path: shown(path) })
                }
            }
            Kind::Hardlink => {
                let target = TreePath::from_member(&header.target).ok();
                let kind = target.as_ref().and_then(|target| self.kinds.get(target));
                match (target, kind) {
                    (Some(target), Some(Kind::Regular | Kind::Hardlink)) => Ok(MemberKind::Hardlink(target)),
                    _ => {
                        let target = header.target.escape_debug().to_string();
                        Err(Fault::HardLink { path: shown(path), target })
                    }
                }
            }
            Kind::Other(kind) => Err(Fault::Kind { path: shown(path), kind }),
        }
    }
}

/// Some writers put the file's kind above the permissions, as stat(2) does; dpkg takes no notice of it.
fn mode(header: &Header, path: &TreePath) -> Result<u32, Fault> {
    match u32::try_from(header.mode) {
        Ok(mode) if mode <= 0o177_777 => Ok(mode & 0o7777),
        _ => Err(wrong(path, "has a mode that Linux does not know")),
    }
}

fn wrong(path: &TreePath, what: &'static str) -> Fault {
    Fault::Member { path: shown(path), what }
}
