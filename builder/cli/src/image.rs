//! A built image as a whole: its partitions, its kernel's root hash, the file system in its slot.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use geminios_disk::{Layout, Partition};
use geminios_model::Digest;

use crate::contents::Contents;
use crate::manifest::Manifest;

/// The list of packages that every image carries.
const PACKAGES: &str = "/usr/share/geminios/packages";
/// The list of container images, where there are any.
const CONTAINERS: &str = "/usr/share/geminios/container-images";

/// An image file.
pub struct Image {
    pub path: PathBuf,
    pub layout: Layout,
}

/// A line of an image's list of packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct ImagePackage {
    pub name: String,
    pub version: String,
    pub architecture: String,
}

/// A line of an image's list of container images.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Container {
    pub name: String,
    /// Of its index or manifest.
    pub digest: String,
    /// Bytes of its archive.
    pub size: u64,
}

impl Image {
    /// An image file, or the image of a build's folder.
    pub fn open(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { Manifest::read(path)?.path(path, "image")? } else { path.to_owned() };
        if path.extension().is_some_and(|e| e == "zst") {
            bail!("{} is compressed\n  help: unpack it first: zstd -d {}", path.display(), path.display());
        }
        let help = "\n  help: give a disk image, or the folder of a build (out/PROFILE-BOARD)";
        let layout = Layout::read(&path).with_context(|| format!("{} is not read{help}", path.display()))?;
        Ok(Image { layout, path })
    }

    /// The root hash that the image's first kernel carries.
    pub fn root_hash(&self) -> Result<Digest> {
        let kernel = self.layout.kernels.first();
        kernel
            .and_then(|kernel| kernel.root_hash)
            .with_context(|| format!("no kernel in {} carries a root hash", self.path.display()))
    }

    /// The slot that the root hash names, and its hash tree.
    pub fn slot(&self) -> Result<(&Partition, &Partition)> {
        // Any slot that holds a file system whose hash tree vouches for it would do; a build fills slot A.
        let find = |name: &str| {
            self.layout
                .partition(name)
                .with_context(|| format!("{} has no partition {name}", self.path.display()))
        };
        Ok((find("root-a")?, find("root-a-verity")?))
    }

    /// The files in the slot.
    pub fn contents(&self) -> Result<Contents> {
        let (root, _) = self.slot()?;
        let file = std::fs::File::open(&self.path)?;
        Contents::open(&file, root.start, root.size)
            .with_context(|| format!("{} cannot be read", self.path.display()))
    }
}

/// The packages an image says it is made of.
pub fn packages(contents: &Contents) -> Result<Vec<ImagePackage>> {
    let text =
        String::from_utf8(contents.read(PACKAGES)?).context("the image's list of packages is not text")?;
    let mut packages = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().map(str::to_owned);
        let (Some(name), Some(version), Some(architecture)) = (words.next(), words.next(), words.next())
        else {
            bail!("the image's list of packages has a line `{line}`");
        };
        packages.push(ImagePackage { name, version, architecture });
    }
    Ok(packages)
}

/// The container images that come with an image.
pub fn containers(contents: &Contents) -> Vec<Container> {
    // Most images have none, and no list of them.
    let text = contents.read(CONTAINERS).unwrap_or_default();
    let line = |line: &str| {
        let mut words = line.split(' ');
        let (name, digest, size) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        Some(Container { name: name.to_owned(), digest: digest.to_owned(), size })
    };
    String::from_utf8_lossy(&text).lines().filter_map(line).collect()
}
