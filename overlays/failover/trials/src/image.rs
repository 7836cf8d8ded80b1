//! The root of a built image, read-only, as the nodes start from it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{run, words};

/// Names a folder that is such a root, a root.erofs, or a disk image; without it the profile x86-edge is built.
pub const VARIABLE: &str = "GEMINIOS_TRIALS_IMAGE";

pub struct Image {
    pub root: PathBuf,
    mounted: bool,
}

/// Where such a root is.
pub enum Source {
    Folder(PathBuf),
    /// An erofs that begins so many bytes into this file.
    File(PathBuf, u64),
}

impl Source {
    /// # Errors
    /// It cannot be built or read.
    pub fn find() -> Result<Self> {
        let path = match std::env::var_os(VARIABLE) {
            Some(path) => PathBuf::from(path),
            None => geminios_qemu_tests::product().image()?,
        };
        if path.is_dir() {
            return Ok(Source::Folder(path));
        }
        let offset = if path.extension().is_some_and(|end| end == "img") { root_offset(&path)? } else { 0 };
        Ok(Source::File(path, offset))
    }
}

impl Image {
    /// # Errors
    /// It cannot be built or mounted.
    pub fn open(at: &Path) -> Result<Self> {
        let (path, offset) = match Source::find()? {
            Source::Folder(root) => return Ok(Image { root, mounted: false }),
            Source::File(path, offset) => (path, offset),
        };
        std::fs::create_dir_all(at)?;
        let mut mount = words(&format!("mount -t erofs -o ro,loop,offset={offset}"));
        run(mount.arg(&path).arg(at)).context("an erofs needs loop devices and the right to mount")?;
        Ok(Image { root: at.to_owned(), mounted: true })
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.mounted {
            let _ = run(words("umount --lazy").arg(&self.root));
        }
    }
}

/// Bytes before the partition root-a.
fn root_offset(image: &Path) -> Result<u64> {
    let at = || image.display().to_string();
    let disk = gpt::GptConfig::new().writable(false).open(image).with_context(at)?;
    let root = disk.partitions().values().find(|partition| partition.name == "root-a");
    let root = root.with_context(|| format!("{}: no partition root-a", at()))?;
    Ok(root.bytes_start(*disk.logical_block_size())?)
}
