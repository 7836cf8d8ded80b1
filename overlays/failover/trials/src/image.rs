//! The root of a built image, read-only, as the nodes start from it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{run, words};

/// Names a folder that is such a root, a root.erofs, or a disk image; without it the profile x86-edge is built.
pub const VARIABLE: &str = "GEMINIOS_TRIALS_IMAGE";

pub struct Image {
    pub root: PathBuf,
    mounted: bool,
}

impl Image {
    /// # Errors
    /// It cannot be built or mounted.
    pub fn open(at: &Path) -> Result<Self> {
        let given = std::env::var_os(VARIABLE).map(PathBuf::from);
        let path = given.map_or_else(build, Ok)?;
        if path.is_dir() {
            return Ok(Image { root: path, mounted: false });
        }
        std::fs::create_dir_all(at)?;
        let offset = if path.extension().is_some_and(|end| end == "img") { root_offset(&path)? } else { 0 };
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
    let table = run(words("sfdisk --json").arg(image))?;
    let table: serde_json::Value = serde_json::from_str(&table)?;
    let partitions =
        table["partitiontable"]["partitions"].as_array().context("sfdisk names no partitions")?;
    let root = partitions.iter().find(|partition| partition["name"] == "root-a");
    let start = root.and_then(|root| root["start"].as_u64());
    Ok(start.with_context(|| format!("{}: no partition root-a", image.display()))? * 512)
}

fn build() -> Result<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let out = project.join("target/failover-trials/image");
    let mut cargo = words("cargo run --release --package geminios -- build x86-edge --no-compress --out");
    run(cargo.arg(&out).current_dir(&project)).context("building the image")?;
    let images = std::fs::read_dir(&out)?.flatten().map(|entry| entry.path());
    let Some(image) = images.into_iter().find(|path| path.extension().is_some_and(|end| end == "img")) else {
        bail!("{}: no disk image", out.display());
    };
    Ok(image)
}
