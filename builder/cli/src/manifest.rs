//! `manifest.json`: what a build made, for programs. The same lock and sources give the same manifest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use geminios_model::{Arch, Digest};
use serde::{Deserialize, Serialize};

use crate::terminal::megabytes;

/// The format this code writes and reads.
pub const FORMAT: u32 = 1;
/// The file's name in a build's folder.
pub const NAME: &str = "manifest.json";

/// What a build made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub profile: String,
    pub version: String,
    pub board: String,
    pub architecture: Arch,
    pub lock_digest: Digest,
    pub root_hash: Digest,
    /// Seconds since 1970.
    pub source_date_epoch: u64,
    /// Versions of what users ask for first.
    pub versions: BTreeMap<String, String>,
    /// Formats of the data that its programs keep in /var, by name; 0 where it has no such program.
    #[serde(default)]
    pub data: BTreeMap<String, u64>,
    /// The parts that an update carries.
    pub parts: BTreeMap<String, Part>,
    /// The files beside this one.
    pub files: BTreeMap<String, File>,
    /// Archives of container images, by the images' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, Part>,
    /// Installed bytes by overlay.
    pub installed: BTreeMap<String, u64>,
}

/// A part of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Bytes.
    pub size: u64,
    pub sha256: Digest,
}

/// A file beside the manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    /// Bytes.
    pub size: u64,
    pub sha256: Digest,
}

impl Manifest {
    /// The manifest in a build's folder.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("{} cannot be read\n  help: build first: `geminios build PROFILE`", path.display())
        })?;
        let manifest: Manifest =
            serde_json::from_str(&text).with_context(|| format!("{} is not a manifest", path.display()))?;
        if manifest.format != FORMAT {
            bail!(
                "{} has format {}; this geminios reads format {FORMAT}\n  help: build again, or use the geminios that wrote it",
                path.display(),
                manifest.format
            );
        }
        Ok(manifest)
    }

    /// What grew since this build, as lines that an error about a full slot can end with; empty if nothing did.
    pub fn growth_to(&self, now: &BTreeMap<String, u64>) -> String {
        let mut grown: Vec<(i64, &String)> = now
            .iter()
            .map(|(name, bytes)| {
                (*bytes as i64 - self.installed.get(name).copied().unwrap_or(0) as i64, name)
            })
            .filter(|(more, _)| *more > 0)
            .collect();
        grown.sort_by(|a, b| b.cmp(a));
        let lines: String =
            grown.iter().map(|(more, name)| format!("  +{}  {name}\n", megabytes(*more as u64))).collect();
        if lines.is_empty() { lines } else { format!("Grown since the last build here:\n{lines}") }
    }

    /// The path of a file of the build: `image`, `bmap`, `compressed`, `uki`, `sbom`.
    pub fn path(&self, dir: &Path, kind: &str) -> Result<PathBuf> {
        let file = self.files.get(kind).with_context(|| format!("this build has no {kind}"))?;
        Ok(dir.join(&file.name))
    }
}
