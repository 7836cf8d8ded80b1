//! A disk of a machine that can be full, or hang: a file system in a file.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::command::{run, words};

/// Sparse.
const BYTES: u64 = 3 << 30;

pub struct Volume(PathBuf);

impl Volume {
    /// Makes one and mounts it there.
    ///
    /// # Errors
    /// This machine cannot.
    pub fn make(at: &Path) -> Result<Self> {
        let file = at.with_extension("volume");
        File::create(&file)?.set_len(BYTES)?;
        std::fs::create_dir_all(at)?;
        // No share of it is kept for root.
        run(words("mkfs.ext4 -q -m 0").arg(&file))?;
        run(words("mount -o loop").arg(&file).arg(at))?;
        Ok(Volume(at.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// To the last block.
    ///
    /// # Errors
    /// It cannot be.
    pub fn fill(&self) -> Result<()> {
        let file = File::create(self.ballast())?;
        let (mut at, mut step) = (0, 1 << 30);
        while step >= 4096 {
            match fallocate(&file, FallocateFlags::empty(), at, step) {
                Ok(()) => at += step,
                Err(Errno::NOSPC) => step /= 2,
                Err(error) => return Err(error).context("fallocate"),
            }
        }
        Ok(())
    }

    /// # Errors
    /// It cannot be.
    pub fn empty(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    /// Whoever writes waits (ioctl_fsfreeze(2)).
    ///
    /// # Errors
    /// It cannot be.
    pub fn freeze(&self) -> Result<()> {
        run(words("fsfreeze --freeze").arg(&self.0)).map(drop)
    }

    /// # Errors
    /// It does not hang.
    pub fn thaw(&self) -> Result<()> {
        run(words("fsfreeze --unfreeze").arg(&self.0)).map(drop)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = self.thaw();
        let _ = run(words("umount --lazy").arg(&self.0));
    }
}
