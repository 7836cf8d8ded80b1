use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use geminios_model::{Digest, TreePath};

use crate::content::Content;
use crate::error::ComposeError;

/// A file system held in memory: every path has its folder, and every folder stands before what is in it.
#[derive(Clone, Debug)]
pub struct Tree {
    entries: BTreeMap<TreePath, Entry>,
}

/// What stands at one path.
#[derive(Clone, Debug)]
pub struct Entry {
    pub node: Node,
    /// Permission bits with set-id and sticky bits, no file type.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: u64,
    pub owner: Owner,
}

/// The kinds of entries an image has. Hard links are files that share content; there are no devices.
#[derive(Clone, Debug)]
pub enum Node {
    Directory,
    File(Content),
    Symlink(String),
}

/// Who brought an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    Package(String),
    Overlay(String),
    Profile(String),
    /// A declared step that does what a maintainer script would have done.
    Fixup(&'static str),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Package(name) => write!(f, "package {name}"),
            Owner::Overlay(name) => write!(f, "overlay {name}"),
            Owner::Profile(name) => write!(f, "profile {name}"),
            Owner::Fixup(name) => write!(f, "the fix-up for {name}"),
        }
    }
}

impl Entry {
    /// A folder of root's with mode 0755.
    pub fn directory(owner: Owner, mtime: u64) -> Self {
        Entry { node: Node::Directory, mode: 0o755, uid: 0, gid: 0, mtime, owner }
    }

    /// A file of root's with mode 0644.
    pub fn file(content: impl Into<Content>, owner: Owner, mtime: u64) -> Self {
        Entry { node: Node::File(content.into()), mode: 0o644, uid: 0, gid: 0, mtime, owner }
    }

    /// A symbolic link.
    pub fn symlink(target: impl Into<String>, owner: Owner, mtime: u64) -> Self {
        Entry { node: Node::Symlink(target.into()), mode: 0o777, uid: 0, gid: 0, mtime, owner }
    }

    /// The same entry with other permission bits.
    #[must_use]
    pub fn with_mode(self, mode: u32) -> Self {
        Entry { mode, ..self }
    }

    /// Whether it is a folder.
    pub fn is_directory(&self) -> bool {
        matches!(self.node, Node::Directory)
    }

    /// The content, if it is a file.
    pub fn content(&self) -> Option<&Content> {
        match &self.node {
            Node::File(content) => Some(content),
            _ => None,
        }
    }
}

impl Tree {
    /// A tree that holds its root folder only (0755, root's).
    pub fn new(owner: Owner, mtime: u64) -> Self {
        Tree { entries: BTreeMap::from([(TreePath::root(), Entry::directory(owner, mtime))]) }
    }

    /// What stands at a path; links are not followed.
    pub fn get(&self, path: &TreePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// As [`Tree::get`], to change it.
    pub fn get_mut(&mut self, path: &TreePath) -> Option<&mut Entry> {
        self.entries.get_mut(path)
    }

    /// All entries; a folder comes before what is in it.
    pub fn iter(&self) -> impl Iterator<Item = (&TreePath, &Entry)> {
        self.entries.iter()
    }

    /// As [`Tree::iter`], to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&TreePath, &mut Entry)> {
        self.entries.iter_mut()
    }

    /// Number of entries, the root with them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true: there is always the root. Here because [`Tree::len`] is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A folder and all below it.
    pub fn below<'a>(&'a self, folder: &'a TreePath) -> impl Iterator<Item = (&'a TreePath, &'a Entry)> {
        // `/a-b` sorts between `/a` and `/a/b`, hence skip and not only take.
        let prefix = if folder.as_str() == "/" { "/".to_owned() } else { format!("{folder}/") };
        self.entries
            .range(folder.clone()..)
            .take_while(move |(path, _)| path.as_str().starts_with(folder.as_str()) || folder.as_str() == "/")
            .filter(move |(path, _)| *path == folder || path.as_str().starts_with(&prefix))
    }

    /// The names right inside a folder.
    pub fn children<'a>(&'a self, folder: &'a TreePath) -> impl Iterator<Item = (&'a TreePath, &'a Entry)> {
        self.below(folder).filter(move |(path, _)| path.parent().as_ref() == Some(folder))
    }

    /// Puts an entry at a path, in place of what stood there. Its folder must be there.
    ///
    /// # Errors
    /// The path's folder is missing or no folder, or the entry would take the place of a folder with something in it.
    pub fn insert(&mut self, path: TreePath, entry: Entry) -> Result<(), ComposeError> {
        if let Some(parent) = path.parent() {
            match self.entries.get(&parent).map(|e| &e.node) {
                Some(Node::Directory) => {}
                Some(Node::Symlink(target)) => {
                    return Err(ComposeError::ParentIsLink { path, parent, target: target.clone() });
                }
                Some(Node::File(_)) => return Err(ComposeError::ParentIsFile { path, parent }),
                None => return Err(ComposeError::NoParent { path, parent }),
            }
        }
        let folder = self.entries.get(&path).is_some_and(Entry::is_directory);
        if folder && !entry.is_directory() && self.children(&path).next().is_some() {
            return Err(ComposeError::FolderInTheWay { path, by: entry.owner });
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    /// Makes the folders above a path that are missing: 0755, root's.
    ///
    /// # Errors
    /// Something that is no folder is in the way.
    pub fn make_parents(&mut self, path: &TreePath, owner: &Owner, mtime: u64) -> Result<(), ComposeError> {
        let mut missing = Vec::new();
        let mut above = path.parent();
        while let Some(folder) = above {
            if self.entries.contains_key(&folder) {
                break;
            }
            above = folder.parent();
            missing.push(folder);
        }
        missing
            .into_iter()
            .rev()
            .try_for_each(|folder| self.insert(folder, Entry::directory(owner.clone(), mtime)))
    }

    /// Takes out a path with all below it.
    pub fn remove(&mut self, path: &TreePath) {
        let gone: Vec<TreePath> = self.below(path).map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.entries.remove(&path);
        }
    }

    /// Follows links in every part of a path, as the kernel does with this tree as the root folder.
    /// `None` if it leads nowhere or round in circles.
    pub fn resolve(&self, path: &TreePath) -> Option<TreePath> {
        let mut names: Vec<String> = path.relative().rsplit('/').map(str::to_owned).collect();
        let mut at = TreePath::root();
        let mut links = 0;
        while let Some(name) = names.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    at = at.parent().unwrap_or_else(TreePath::root);
                    continue;
                }
                _ => {}
            }
            let next = at.join(&name).ok()?;
            match &self.entries.get(&next)?.node {
                Node::Symlink(target) => {
                    // Linux's own limit, path_resolution(7).
                    links += 1;
                    if links > 40 {
                        return None;
                    }
                    if target.starts_with('/') {
                        at = TreePath::root();
                    }
                    names.extend(target.rsplit('/').map(str::to_owned));
                }
                _ => at = next,
            }
        }
        Some(at)
    }

    /// Digest of all that an image holds of this tree: paths, kinds, owners' numbers, modes, times, content.
    /// Who brought an entry ([`Owner`]) is no part of it.
    pub fn digest(&self) -> Digest {
        let mut text = String::new();
        for (path, e) in &self.entries {
            let _ = write!(text, "{path}\0{:o} {} {} {} ", e.mode, e.uid, e.gid, e.mtime);
            let _ = match &e.node {
                Node::Directory => write!(text, "d\0"),
                Node::Symlink(target) => write!(text, "l {target}\0"),
                Node::File(content) => write!(text, "f {}\0", content.identity()),
            };
        }
        Digest::of(text)
    }

    /// The tree as text, one line an entry: `/usr/bin/x: 0755 0:0 14720`, `/bin: link -> usr/bin`, `/etc: 0755 0:0 folder`.
    pub fn listing(&self) -> String {
        let mut out = String::new();
        for (path, e) in &self.entries {
            let _ = match &e.node {
                Node::Directory => writeln!(out, "{path}: {:04o} {}:{} folder", e.mode, e.uid, e.gid),
                Node::File(content) => {
                    writeln!(out, "{path}: {:04o} {}:{} {}", e.mode, e.uid, e.gid, content.len())
                }
                Node::Symlink(target) => writeln!(out, "{path}: link -> {target}"),
            };
        }
        out
    }
}
