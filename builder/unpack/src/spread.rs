//! Packages -> files in a folder. The whole tree is put together before the first write; in it each path stands in
//! folders alone, and links are made last. So nothing is written through a link, whatever packages bring.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use geminios_model::TreePath;
use rayon::prelude::*;

use crate::deb::Package;
use crate::members::MemberKind;

/// What no program needs.
const LEFT_OUT: [&str; 7] = [
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/info",
    "/usr/share/locale",
    "/usr/share/lintian",
    "/usr/share/bug",
    "/usr/share/doc-base",
];

/// What base-files makes links into /usr.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Why packages cannot be put into one folder.
#[derive(Debug, thiserror::Error)]
pub enum SpreadError {
    #[error(
        "{path} of package {package} would be written through {through} of package {other}, which is no folder\n  help: take one of the two packages out of the tool set"
    )]
    Through { package: String, path: TreePath, through: TreePath, other: String },
    #[error(
        "packages {first} and {second} both bring {path}, and not the same\n  help: take one of the two out of the tool set"
    )]
    Clash { path: TreePath, first: String, second: String },
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SpreadError + '_ {
    move |error| SpreadError::Io { path: path.to_owned(), error }
}

/// Writes packages, by name, into an empty folder.
pub(crate) fn spread(packages: &[(&str, Package)], dir: &Path) -> Result<(), SpreadError> {
    let mut sorted: Vec<_> = packages.iter().collect();
    sorted.sort_by_key(|(name, package)| (*name, package.data.digest));
    let mut plan = Plan::default();
    for (name, package) in sorted {
        plan.package(name, package)?;
    }
    plan.write(dir)
}

#[derive(Default)]
struct Plan<'a> {
    tree: BTreeMap<TreePath, (&'a str, Place<'a>)>,
}

#[derive(Clone, PartialEq, Eq)]
enum Place<'a> {
    Folder,
    Link(String),
    File { part: Bytes<'a>, mode: u32 },
}

/// A part of a package's data.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Bytes<'a> {
    data: &'a Path,
    offset: u64,
    size: u64,
}

impl<'a> Plan<'a> {
    fn package(&mut self, name: &'a str, package: &'a Package) -> Result<(), SpreadError> {
        let mut files: HashMap<&TreePath, Place<'a>> = HashMap::new();
        for member in &package.members {
            let mode = if member.mode & 0o111 == 0 { 0o644 } else { 0o755 };
            let place = match &member.kind {
                MemberKind::Directory => Place::Folder,
                MemberKind::Symlink(_) if is_merging_link(&member.path) => continue,
                MemberKind::Symlink(target) => Place::Link(inside(&merged(&member.path), target)),
                MemberKind::File { offset, size } => {
                    let part = Bytes { data: &package.data.path, offset: *offset, size: *size };
                    Place::File { part, mode }
                }
                // It comes after its file.
                MemberKind::Hardlink(target) => match files.get(target) {
                    Some(file) => file.clone(),
                    None => continue,
                },
            };
            if matches!(place, Place::File { .. }) {
                files.insert(&member.path, place.clone());
            }
            let path = merged(&member.path);
            if !is_left_out(&path) {
                self.add(name, path, place)?;
            }
        }
        Ok(())
    }

    /// Keeps to one rule: above each path there are only folders.
    fn add(&mut self, package: &'a str, path: TreePath, place: Place<'a>) -> Result<(), SpreadError> {
        let mut parent = path.parent();
        while let Some(folder) = parent {
            match self.tree.get(&folder) {
                None => drop(self.tree.insert(folder.clone(), (package, Place::Folder))),
                Some((_, Place::Folder)) => break,
                Some((other, _)) => {
                    let (package, other) = (package.to_owned(), (*other).to_owned());
                    return Err(SpreadError::Through { package, path, through: folder, other });
                }
            }
            parent = folder.parent();
        }
        match self.tree.get(&path) {
            None => drop(self.tree.insert(path, (package, place))),
            Some((_, there)) if there.is_same(&place).map_err(at(Path::new(path.as_str())))? => {}
            Some((first, _)) => {
                let (first, second) = ((*first).to_owned(), package.to_owned());
                return Err(SpreadError::Clash { path, first, second });
            }
        }
        Ok(())
    }

    fn write(&self, dir: &Path) -> Result<(), SpreadError> {
        for (path, (_, place)) in &self.tree {
            if *place == Place::Folder {
                let to = dir.join(path.relative());
                make_folder(&to).map_err(at(&to))?;
            }
        }
        self.tree.par_iter().try_for_each(|(path, (_, place))| match place {
            Place::File { part, mode } => {
                let to = dir.join(path.relative());
                part.write(&to, *mode).map_err(at(&to))
            }
            _ => Ok(()),
        })?;
        for (path, (_, place)) in &self.tree {
            if let Place::Link(target) = place {
                let to = dir.join(path.relative());
                symlink(target, &to).map_err(at(&to))?;
            }
        }
        for name in MERGED {
            let to = dir.join(name);
            symlink(Path::new("usr").join(name), &to).map_err(at(&to))?;
        }
        Ok(())
    }
}

fn make_folder(to: &Path) -> io::Result<()> {
    if !to.is_dir() {
        fs::create_dir(to)?;
    }
    // Independent of the umask.
    fs::set_permissions(to, Permissions::from_mode(0o755))
}

impl Place<'_> {
    fn is_same(&self, other: &Place<'_>) -> io::Result<bool> {
        match (self, other) {
            (Place::File { part: a, mode: x }, Place::File { part: b, mode: y }) => {
                Ok(x == y && (a == b || a.size == b.size && a.read()? == b.read()?))
            }
            (a, b) => Ok(a == b),
        }
    }
}

impl Bytes<'_> {
    fn open(&self) -> io::Result<io::Take<File>> {
        let mut data = File::open(self.data)?;
        data.seek(SeekFrom::Start(self.offset))?;
        Ok(data.take(self.size))
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn write(&self, to: &Path, mode: u32) -> io::Result<()> {
        let mut file = File::create_new(to)?;
        if io::copy(&mut self.open()?, &mut file)? != self.size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.set_permissions(Permissions::from_mode(mode))
    }
}

fn is_left_out(path: &TreePath) -> bool {
    LEFT_OUT.iter().any(|out| {
        path.as_str().strip_prefix(out).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn is_merging_link(path: &TreePath) -> bool {
    MERGED.contains(&path.relative())
}

/// Where a path is once /bin, /sbin and /lib are links into /usr (Debian's usr-merge).
fn merged(path: &TreePath) -> TreePath {
    let top = path.relative().split('/').next().unwrap_or_default();
    let moved = MERGED.contains(&top).then(|| TreePath::new(&format!("/usr{path}")).ok());
    moved.flatten().unwrap_or_else(|| path.clone())
}

/// A link's target as one that leads into the set and not to the host: an absolute one begins at the set, and none
/// climbs out of it, as the root is above itself.
fn inside(link: &TreePath, target: &str) -> String {
    let depth = link.relative().matches('/').count();
    let mut names: Vec<&str> = Vec::new();
    let (mut up, mut turns) = (0, false);
    for name in target.split('/') {
        match name {
            "" | "." => {}
            // A name before it may be a link, and lead higher than it looks.
            ".." if names.pop().is_some() => turns = true,
            ".." if up < depth => up += 1,
            ".." => turns = true,
            name => names.push(name),
        }
    }
    match target.strip_prefix('/') {
        None if !turns => return target.to_owned(),
        None => {}
        Some(_) => up = depth,
    }
    let path = format!("{}{}", "../".repeat(up), names.join("/"));
    if path.is_empty() { ".".to_owned() } else { path }
}

#[cfg(test)]
mod tests;
