//! The files of a module of this tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{CompileError, at};
use crate::program::put;

/// A module, read.
#[derive(Debug)]
pub(crate) struct Module {
    /// Files by path below its folder.
    files: BTreeMap<String, Vec<u8>>,
}

impl Module {
    pub fn read(folder: &Path) -> Result<Self, CompileError> {
        let mut files = BTreeMap::new();
        read_files(folder, "", &mut files)?;
        for needed in ["go.mod", "go.sum"] {
            if !files.contains_key(needed) {
                let (path, reason) = (folder.to_owned(), format!("this Go module has no {needed}"));
                let help = "go.mod and go.sum pin what is compiled: run `go mod tidy` there, and commit both";
                return Err(CompileError::Manifest { path, reason, help });
            }
        }
        Ok(Module { files })
    }

    /// Path and bytes of each file, sorted.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    pub fn write(&self, folder: &Path) -> Result<(), CompileError> {
        self.files.iter().try_for_each(|(path, bytes)| put(&folder.join(path), bytes))
    }
}

/// Reads what a build may read: no tests, and nothing of editors and version control.
fn read_files(folder: &Path, below: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), CompileError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let (path, name) = (entry.path(), entry.file_name());
        let not_built = |name: &&str| {
            !name.starts_with('.') && !name.ends_with("_test.go") && !["testdata", "vendor"].contains(name)
        };
        let Some(name) = name.to_str().filter(not_built) else { continue };
        let kind = entry.file_type().map_err(at(&path))?;
        if kind.is_dir() {
            read_files(&path, &format!("{below}{name}/"), files)?;
        } else if kind.is_file() {
            files.insert(format!("{below}{name}"), fs::read(&path).map_err(at(&path))?);
        } else {
            return Err(CompileError::SpecialFile { path });
        }
    }
    Ok(())
}
