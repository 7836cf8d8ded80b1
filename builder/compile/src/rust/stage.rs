//! The sources of a program and of the packages of this tree that it depends on, as a workspace of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{CompileError, at};
use crate::program::put;
use crate::rust::locked::Locked;
use crate::rust::manifest::{Dependency, Manifest, plain};

/// Folders of a package that only serve its tests and checks.
const NOT_FOR_DEVICES: [&str; 4] = ["benches", "examples", "target", "tests"];

/// Sources, read and reduced to what the program needs.
#[derive(Debug)]
pub(crate) struct Stage {
    workspace: Manifest,
    program: String,
    /// Packages by folder below the workspace's.
    packages: BTreeMap<String, Package>,
    /// Files by path below the workspace's folder.
    files: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

impl Stage {
    /// Reads the package in folder `package` and those of the workspace that it depends on.
    pub fn read(workspace: &Path, package: &Path) -> Result<Self, CompileError> {
        let workspace = plain(&std::path::absolute(workspace).map_err(at(workspace))?);
        let manifest = Manifest::read(&workspace)?;
        let (mut packages, mut files) = (BTreeMap::new(), BTreeMap::new());
        let first = plain(&workspace.join(package));
        let program = Manifest::read(&first)?.name()?.to_owned();
        let mut open = vec![first];
        while let Some(folder) = open.pop() {
            let below = below(&folder, &workspace)?;
            if packages.contains_key(&below) {
                continue;
            }
            let package = Manifest::read(&folder)?;
            let dependencies = package.dependencies(&manifest)?;
            open.extend(dependencies.iter().filter_map(|dependency| dependency.folder.clone()));
            read_files(&folder, &below, true, &mut files)?;
            files.insert(format!("{below}/Cargo.toml"), package.for_device().into_bytes());
            packages.insert(below, Package { name: package.name()?.to_owned(), dependencies });
        }
        let mut stage = Stage { workspace: manifest, program, packages, files };
        stage.files.insert("Cargo.toml".into(), stage.workspace_manifest("").into_bytes());
        Ok(stage)
    }

    /// Name of the program's package.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Each package's name and the names of what it depends on.
    pub fn packages(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.packages.values().map(|package| {
            (
                package.name.as_str(),
                package.dependencies.iter().map(|dependency| dependency.name.as_str()).collect(),
            )
        })
    }

    /// Path below the workspace and bytes of each file, sorted.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Writes the workspace into a folder.
    pub fn write(&self, work: &Path, profile: &str, locked: &Locked) -> Result<(), CompileError> {
        for (path, bytes) in &self.files {
            put(&work.join(path), bytes)?;
        }
        put(&work.join("Cargo.toml"), self.workspace_manifest(profile).as_bytes())?;
        put(&work.join("Cargo.lock"), locked.to_text().as_bytes())
    }

    fn workspace_manifest(&self, profile: &str) -> String {
        let members: Vec<String> = self.packages.keys().cloned().collect();
        let all = self.packages.values().flat_map(|package| &package.dependencies);
        let inherited: Vec<&str> = all.filter_map(|dependency| dependency.inherited.as_deref()).collect();
        self.workspace.for_workspace(&members, &inherited, profile)
    }
}

/// A folder's path below the workspace's, with `/`.
fn below(folder: &Path, workspace: &Path) -> Result<String, CompileError> {
    let inner = folder.strip_prefix(workspace).ok().and_then(Path::to_str).filter(|inner| !inner.is_empty());
    inner.map(str::to_owned).ok_or_else(|| CompileError::Manifest {
        path: folder.to_owned(),
        reason: format!("this package does not lie below {}", workspace.display()),
        help: "device programs and what they depend on are folders of this workspace",
    })
}

/// Reads a package's files. Hidden ones belong to editors and version control.
fn read_files(
    folder: &Path,
    below: &str,
    top: bool,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), CompileError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let inner = format!("{below}/{name}");
        let kind = entry.file_type().map_err(at(&path))?;
        if kind.is_dir() {
            // A package inside a package is another one.
            let other = top && NOT_FOR_DEVICES.contains(&name) || path.join("Cargo.toml").exists();
            if !other {
                read_files(&path, &inner, false, files)?;
            }
        } else if kind.is_file() {
            files.insert(inner, fs::read(&path).map_err(at(&path))?);
        } else {
            return Err(CompileError::SpecialFile { path });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
