//! Files that are whole or not there, whatever happens.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, fchown},
    path::Path,
};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};

use crate::{Error, error::At};

pub(crate) type Owner = Option<(u32, u32)>;

/// Writes a file under another name, syncs and renames it. Does nothing if that is its content already.
pub(crate) fn write(path: &Path, content: &str, owner: Owner) -> Result<(), Error> {
    if fs::read_to_string(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let new = path.with_file_name(format!("{}.new", path.file_name().unwrap_or_default().to_string_lossy()));
    remove(&new)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&new).at(&new)?;
    own(&file, owner).at(&new)?;
    file.write_all(content.as_bytes()).at(&new)?;
    file.sync_all().at(&new)?;
    fs::rename(&new, path).at(path)?;
    sync_folder_of(path)
}

fn own(file: &File, owner: Owner) -> std::io::Result<()> {
    owner.map_or(Ok(()), |(user, group)| fchown(file, Some(user), Some(group)))
}

/// Removes a file for good, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done.at(path).and_then(|()| sync_folder_of(path)),
    }
}

pub(crate) fn remove_folder(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done.at(path),
    }
}

/// Makes a folder that only its owner may enter.
pub(crate) fn make_folder(path: &Path, owner: Owner) -> Result<(), Error> {
    if !path.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).at(path)?;
    }
    let folder = File::open(path).at(path)?;
    own(&folder, owner).at(path)?;
    sync_folder_of(path)
}

pub(crate) fn sync_folder_of(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder).and_then(|folder| folder.sync_all()).at(folder)
}

/// Puts `new` in the place of `old` at one instant; what was there has the name `new` afterwards.
pub(crate) fn exchange(new: &Path, old: &Path) -> Result<(), Error> {
    if old.exists() {
        renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).at(old)?;
    } else {
        fs::rename(new, old).at(old)?;
    }
    sync_folder_of(new)?;
    sync_folder_of(old)
}

/// A lock that lives as long as any copy of the file is open, so also in programs that were started with one.
pub(crate) fn lock(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).at(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked(path.to_owned())),
        Err(error) => Err(error).at(path),
    }
}
