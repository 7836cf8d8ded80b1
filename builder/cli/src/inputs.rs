//! Whether anything changed since a build: a digest of all that went into it, and a look at what came out.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use geminios_model::{Digest, Lock};

use crate::project::{Description, Project};

/// The file in a build's folder that says what it was made of and what it holds.
const NOTE: &str = ".inputs";

/// Digest of everything a build reads beyond the packages, which the lock names; and of the builder itself.
pub fn digest(project: &Project, description: &Description, lock: &Lock, compress: bool) -> Result<Digest> {
    let mut parts: Vec<Vec<u8>> = vec![
        lock.to_text().into_bytes(),
        description.board.name.as_bytes().to_vec(),
        vec![u8::from(compress)],
        description.profile_source.text().into(),
    ];
    let program = fs::File::open("/proc/self/exe").context("this program cannot be read")?;
    parts.push(Digest::of_reader(program)?.0.bytes().to_vec());
    let root = project.root();
    for path in ["boards", "overlays", "tools.toml", "Cargo.toml", "Cargo.lock"] {
        add(&root.join(path), path, &mut parts)?;
    }
    Ok(Digest::of_parts(parts.iter().map(Vec::as_slice)))
}

fn add(path: &Path, name: &str, parts: &mut Vec<Vec<u8>>) -> Result<()> {
    let context = || format!("{} cannot be read", path.display());
    let metadata = fs::symlink_metadata(path).with_context(context)?;
    parts.push(name.into());
    if metadata.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path)
            .with_context(context)?
            .map(|e| e.map(|e| e.file_name()))
            .collect::<Result<_, _>>()?;
        names.sort();
        for child in names {
            add(&path.join(&child), &format!("{name}/{}", child.to_string_lossy()), parts)?;
        }
    } else if metadata.is_symlink() {
        parts.push(fs::read_link(path).with_context(context)?.into_os_string().into_encoded_bytes());
    } else {
        parts.push(vec![u8::from(metadata.permissions().mode() & 0o100 != 0)]);
        parts.push(fs::read(path).with_context(context)?);
    }
    Ok(())
}

/// Whether a folder still holds what was built from these inputs.
pub fn unchanged(out: &Path, inputs: &Digest) -> bool {
    let noted = fs::read_to_string(out.join(NOTE)).unwrap_or_default();
    let Some((digest, files)) = noted.split_once('\n') else { return false };
    digest == inputs.to_string()
        && files.lines().all(|line| {
            line.split_once(' ')
                .is_some_and(|(state, name)| state_of(&out.join(name)).is_some_and(|now| now == state))
        })
}

/// Notes what a folder was built from.
pub fn note(out: &Path, inputs: &Digest, files: &[String]) -> Result<()> {
    let mut text = format!("{inputs}\n");
    for name in files {
        let state = state_of(&out.join(name)).with_context(|| format!("{name} is missing from the build"))?;
        text += &format!("{state} {name}\n");
    }
    fs::write(out.join(NOTE), text).with_context(|| format!("{} cannot be written", out.join(NOTE).display()))
}

/// Forgets what a folder was built from, before it changes.
pub fn forget(out: &Path) {
    drop(fs::remove_file(out.join(NOTE)));
}

/// Size and time of the last change; a file that was touched counts as changed.
fn state_of(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    Some(format!("{}:{}.{}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}
