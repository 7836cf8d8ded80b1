//! A build's folder as what is to be released.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use geminios_release::{Build, DataContract, Digest, Part};
use semver::Version;

use crate::args::release::Publish as Args;
use crate::image::Image;
use crate::manifest::Manifest;

/// Lowest level of the updater that can install what this command writes.
const UPDATER: u64 = 1;

/// What the folder has. Root, verity and kernel are compared with the manifest when they are packed, the SBOM here.
pub fn read(folder: &Path, args: &Args) -> Result<Build> {
    let manifest = Manifest::read(folder)?;
    let image = Image::open(folder)?;
    let (root, tree) = image.slot()?;
    let part = |name: &str, offset: u64| {
        let part = manifest.parts.get(name);
        let part = part.with_context(|| format!("{}: it has no part `{name}`", shown(folder)))?;
        let sha256 = digest(&part.sha256);
        Ok::<_, anyhow::Error>(Part { path: image.path.clone(), offset, size: part.size, sha256 })
    };
    let uki = manifest.files.get("uki");
    let uki = uki.with_context(|| format!("{}: it has no kernel image", shown(folder)))?;
    Ok(Build {
        version: version(&manifest.version)?,
        profile: manifest.profile.clone(),
        board: manifest.board.clone(),
        arch: manifest.architecture.debian().to_owned(),
        root_hash: digest(&manifest.root_hash),
        built: manifest.source_date_epoch,
        updater: UPDATER,
        data: contract(&manifest, args)?,
        root: part("root", root.start)?,
        verity: part("root-verity", tree.start)?,
        uki: Part {
            path: manifest.path(folder, "uki")?,
            offset: 0,
            size: uki.size,
            sha256: digest(&uki.sha256),
        },
        sbom: sbom(&manifest, folder)?,
        notes: args.notes.clone(),
    })
}

fn shown(folder: &Path) -> String {
    folder.join(crate::manifest::NAME).display().to_string()
}

fn digest(digest: &geminios_model::Digest) -> Digest {
    Digest(*digest.bytes())
}

/// `~` sorts before the end for a boot loader, `-` for semantic versions: both mean what comes before a release.
fn version(text: &str) -> Result<Version> {
    text.replacen('~', "-", 1).parse().with_context(|| {
        format!(
            "version `{text}` of the build cannot be released\n  help: give the profile a version of three numbers, such as 1.4.0 or 1.4.0~rc1"
        )
    })
}

fn contract(manifest: &Manifest, args: &Args) -> Result<DataContract> {
    let data = |name: &str| manifest.data.get(name).copied().unwrap_or(0);
    let postgresql = data("postgresql");
    let mut converts = args.converts.clone();
    converts.sort_unstable();
    converts.dedup();
    if let Some(wrong) = converts.iter().find(|major| **major >= postgresql) {
        bail!(
            "--converts {wrong}: the build has PostgreSQL {postgresql}, and can convert data of older ones only"
        );
    }
    Ok(DataContract {
        postgresql,
        postgresql_converts: converts,
        kine_schema: data("kine_schema"),
        kubernetes_minor: data("kubernetes_minor"),
        from: args.from.clone(),
    })
}

/// The build's SBOM, if it has one.
fn sbom(manifest: &Manifest, folder: &Path) -> Result<Option<PathBuf>> {
    let Some(file) = manifest.files.get("sbom") else { return Ok(None) };
    let path = folder.join(&file.name);
    let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let seen = geminios_model::Digest::of(&bytes);
    if seen != file.sha256 {
        bail!(
            "{}: its SHA-256 is {seen}, the manifest says {}\n  help: build again",
            path.display(),
            file.sha256
        );
    }
    Ok(Some(path))
}
