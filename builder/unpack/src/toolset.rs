//! Locked programs on the host: Debian packages unpacked into a folder of the cache, run by that folder's own loader,
//! so that neither the host's libraries nor its programs matter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_fetch::{Blob, Steps, StepsError, Store};
use geminios_model::{Arch, Digest, LockedPackage, Progress, TreePath, Unit};
use object::{Object, ObjectSection};

use crate::deb::unpack;
use crate::error::UnpackError;
use crate::members::MemberKind;

/// Changes when the same packages would be unpacked otherwise.
const VERSION: &[u8] = b"1";

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

/// Where programs are looked for.
const PROGRAM_FOLDERS: [&str; 5] = ["usr/bin", "usr/sbin", "usr/lib/systemd", "usr/lib/llvm-19/bin", "usr/libexec"];

/// A set of locked tools, unpacked.
#[derive(Clone, Debug)]
pub struct ToolSet {
    folder: PathBuf,
    digest: Digest,
    arch: Arch,
    libraries: String,
}

/// Why tools cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ToolSetError {
    #[error("tool set `{set}` is for {arch}, and this host is not\n  help: build on a host with that architecture")]
    Foreign { set: String, arch: Arch },
    #[error("tool set `{set}` has no packages in the lock\n  help: lock again with `geminios lock PROFILE`")]
    Empty { set: String },
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Steps(#[from] StepsError),
    #[error("{package}: {path} would be written through a link or a file of another package")]
    Through { package: String, path: TreePath },
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ToolSetError + '_ {
    move |error| ToolSetError::Io { path: path.to_owned(), error }
}

impl ToolSet {
    /// The tools of a set, unpacked if they are not yet.
    ///
    /// # Errors
    /// A hostile package; no room; a set for another kind of host.
    pub fn open(
        store: &Store,
        steps: &Steps,
        set: &str,
        arch: Arch,
        packages: &[(LockedPackage, Blob)],
        progress: &dyn Progress,
    ) -> Result<Self, ToolSetError> {
        if Arch::host() != Some(arch) {
            return Err(ToolSetError::Foreign { set: set.to_owned(), arch });
        }
        if packages.is_empty() {
            return Err(ToolSetError::Empty { set: set.to_owned() });
        }
        let digest = ToolSet::key(packages.iter().map(|(package, _)| package));
        let folder = match steps.get("tools", &digest) {
            Some(folder) => folder,
            None => {
                let stage = format!("tools {set}");
                progress.begin(&stage, packages.len() as u64, Unit::Items);
                let folder = steps.put("tools", &digest, |dir| {
                    spread(dir, store, steps, packages, &|| progress.advance(&stage, 1))
                })?;
                progress.end(&stage, &format!("{} packages unpacked", packages.len()));
                folder
            }
        };
        ToolSet::at(folder, digest, arch)
    }

    /// The tools of a set if they are unpacked already; then its packages need not be fetched.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn unpacked<'a>(
        steps: &Steps,
        arch: Arch,
        packages: impl Iterator<Item = &'a LockedPackage>,
    ) -> Result<Option<Self>, ToolSetError> {
        let digest = ToolSet::key(packages);
        match steps.get("tools", &digest) {
            Some(folder) if Arch::host() == Some(arch) => ToolSet::at(folder, digest, arch).map(Some),
            _ => Ok(None),
        }
    }

    fn key<'a>(packages: impl Iterator<Item = &'a LockedPackage>) -> Digest {
        let mut digests: Vec<Digest> = packages.map(|package| package.sha256).collect();
        digests.sort();
        Digest::of_parts(std::iter::once(VERSION).chain(digests.iter().map(|d| d.bytes().as_slice())))
    }

    fn at(folder: PathBuf, digest: Digest, arch: Arch) -> Result<Self, ToolSetError> {
        let mut folders = BTreeSet::new();
        let lib = folder.join("usr/lib");
        library_folders(&lib, 3, &mut folders).map_err(at(&lib))?;
        // The multiarch folder first: private copies elsewhere must not shadow it.
        let multiarch = lib.join(arch.multiarch());
        folders.remove(&multiarch);
        let all = std::iter::once(multiarch).chain(folders);
        let libraries = all.map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(":");
        Ok(ToolSet { folder, digest, arch, libraries })
    }

    /// Digest of the packages.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// A file or folder of the set, by its path without the leading `/`.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// Runs a program of the set. Of the caller's environment only TMPDIR reaches it.
    pub fn command(&self, program: &str) -> Command {
        let words = self.words(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().env("LC_ALL", "C").env("TZ", "UTC").env("HOME", "/nonexistent");
        if let Some(tmp) = std::env::var_os("TMPDIR") {
            command.env("TMPDIR", tmp);
        }
        command
    }

    /// A shell script that runs a program of the set, for tools that start others by path; written into `folder`.
    ///
    /// # Errors
    /// The script cannot be written.
    pub fn wrapper(&self, program: &str, folder: &Path) -> Result<PathBuf, ToolSetError> {
        let path = folder.join(program);
        let words: Vec<String> =
            self.words(program).iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
        fs::write(&path, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "))).map_err(at(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(at(&path))?;
        Ok(path)
    }

    /// The words that run a program: by the set's loader, or by itself where it is static.
    fn words(&self, program: &str) -> Vec<String> {
        let found = PROGRAM_FOLDERS.iter().map(|dir| self.folder.join(dir).join(program)).find(|p| p.exists());
        let path = found.unwrap_or_else(|| self.folder.join("usr/bin").join(program));
        let path = path.canonicalize().unwrap_or(path);
        if is_static(&path) {
            return vec![path.display().to_string()];
        }
        let loader = self.folder.join("usr/lib").join(self.arch.multiarch()).join(self.arch.loader());
        vec![
            loader.display().to_string(),
            "--library-path".into(),
            self.libraries.clone(),
            "--argv0".into(),
            program.into(),
            path.display().to_string(),
        ]
    }
}

/// A program without an interpreter needs no loader, and none would take it.
fn is_static(path: &Path) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    object::File::parse(&*bytes).is_ok_and(|file| file.section_by_name(".interp").is_none_or(|s| s.size() == 0))
}

/// Folders with shared libraries, `depth` levels down.
fn library_folders(dir: &Path, depth: u32, out: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if depth > 0 && name != "gconv" && name != "rustlib" {
                library_folders(&entry.path(), depth - 1, out)?;
            }
        } else if name.starts_with("lib") && (name.ends_with(".so") || name.contains(".so.")) {
            out.insert(dir.to_owned());
        }
    }
    Ok(())
}

enum Place {
    Folder,
    Link(String),
    File { data: PathBuf, offset: u64, size: u64, mode: u32 },
}

/// Unpacks packages into an empty folder. The whole tree is put together before the first write, and no path of it
/// leads through a link, so that nothing is written elsewhere.
fn spread(
    dir: &Path,
    store: &Store,
    steps: &Steps,
    packages: &[(LockedPackage, Blob)],
    done: &(dyn Fn() + Sync),
) -> Result<(), ToolSetError> {
    use rayon::prelude::*;
    let unpacked: Vec<_> = packages
        .par_iter()
        .map(|(locked, blob)| {
            let package = unpack(store, steps, blob)?;
            done();
            Ok((locked, package))
        })
        .collect::<Result<_, ToolSetError>>()?;
    let mut tree: BTreeMap<TreePath, Place> = BTreeMap::new();
    for (locked, package) in &unpacked {
        let mut files: BTreeMap<TreePath, (u64, u64)> = BTreeMap::new();
        for member in &package.members {
            let path = merged(&member.path);
            if LEFT_OUT.iter().any(|out| TreePath::new(out).is_ok_and(|out| path.is_within(&out))) {
                continue;
            }
            let file = |(offset, size)| Place::File { data: package.data.path.clone(), offset, size, mode: member.mode };
            let place = match &member.kind {
                MemberKind::Directory => Place::Folder,
                MemberKind::Symlink(target) => Place::Link(inside(&path, target)),
                MemberKind::File { offset, size } => {
                    files.insert(member.path.clone(), (*offset, *size));
                    file((*offset, *size))
                }
                MemberKind::Hardlink(target) => match files.get(target) {
                    Some(found) => file(*found),
                    None => continue,
                },
            };
            if matches!((tree.get(&path), &place), (Some(Place::Folder | Place::Link(_)), Place::Folder)) {
                continue;
            }
            let through = || ToolSetError::Through { package: locked.name.clone(), path: path.clone() };
            let mut parent = path.parent();
            while let Some(folder) = parent {
                match tree.get(&folder) {
                    Some(Place::Folder) => break,
                    Some(_) => return Err(through()),
                    None => drop(tree.insert(folder.clone(), Place::Folder)),
                }
                parent = folder.parent();
            }
            tree.insert(path, place);
        }
    }
    for (path, place) in &tree {
        let to = dir.join(path.relative());
        write(&to, place).map_err(at(&to))?;
    }
    Ok(())
}

fn write(to: &Path, place: &Place) -> io::Result<()> {
    match place {
        Place::Folder if to.is_dir() => Ok(()),
        Place::Folder => {
            fs::create_dir(to)?;
            fs::set_permissions(to, fs::Permissions::from_mode(0o755))
        }
        Place::Link(target) => symlink(target, to),
        Place::File { data, offset, size, mode } => {
            let mut from = Window { file: File::open(data)?, offset: *offset, left: *size };
            let mut file = File::create_new(to)?;
            io::copy(&mut from, &mut file)?;
            file.set_permissions(fs::Permissions::from_mode((mode & 0o111) | 0o644))
        }
    }
}

/// A part of a file.
struct Window {
    file: File,
    offset: u64,
    left: u64,
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.file.read_at(&mut buffer[..most], self.offset)?;
        self.offset += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// Where a path is once /bin, /sbin and /lib are links into /usr (Debian's usr-merge).
fn merged(path: &TreePath) -> TreePath {
    let top = path.relative().split('/').next().unwrap_or_default();
    if ["bin", "sbin", "lib", "lib64"].contains(&top) {
        return TreePath::new(&format!("/usr{path}")).unwrap_or_else(|_| path.clone());
    }
    path.clone()
}

/// An absolute target as one relative to the link, so that it leads to the set and not to the host.
fn inside(link: &TreePath, target: &str) -> String {
    match target.strip_prefix('/') {
        None => target.to_owned(),
        Some(rest) => {
            let depth = link.relative().matches('/').count();
            format!("{}{}", "../".repeat(depth), rest)
        }
    }
}
