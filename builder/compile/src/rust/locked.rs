//! Cargo.lock, reduced to what one program needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use geminios_model::Digest;
use toml::{Table, Value};

use crate::error::{CompileError, at};
use crate::rust::stage::Stage;

/// Packages of a Cargo.lock by name and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Locked {
    version: i64,
    packages: BTreeMap<(String, String), Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    source: Option<String>,
    checksum: Option<String>,
    /// `name`, `name version` or `name version (source)`.
    dependencies: Vec<String>,
}

/// A crate from a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crate {
    pub name: String,
    pub version: String,
    pub checksum: Digest,
}

impl Crate {
    /// Name and version, as its folder and file are called.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

impl Locked {
    pub fn read(path: &Path) -> Result<Self, CompileError> {
        Locked::parse(path, &fs::read_to_string(path).map_err(at(path))?)
    }

    pub fn parse(path: &Path, text: &str) -> Result<Self, CompileError> {
        let toml = |error| CompileError::Toml { path: path.to_owned(), error: Box::new(error) };
        let table: Table = text.parse().map_err(toml)?;
        let version = table.get("version").and_then(Value::as_integer).unwrap_or(1);
        let mut packages = BTreeMap::new();
        for package in table.get("package").and_then(Value::as_array).into_iter().flatten() {
            let field = |key| package.get(key).and_then(Value::as_str).map(str::to_owned);
            let (Some(name), Some(version)) = (field("name"), field("version")) else {
                return Err(CompileError::Manifest {
                    path: path.to_owned(),
                    reason: "a [[package]] has no name or version".into(),
                    help: "restore Cargo.lock from version control",
                });
            };
            let list = package.get("dependencies").and_then(Value::as_array);
            let dependencies =
                list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            let entry = Entry { source: field("source"), checksum: field("checksum"), dependencies };
            packages.insert((name, version), entry);
        }
        Ok(Locked { version, packages })
    }

    /// What the staged packages need, directly or not, on any target.
    pub fn reachable_from(mut self, stage: &Stage) -> Result<Self, CompileError> {
        let mut open = Vec::new();
        let mut kept = BTreeSet::new();
        for (name, wanted) in stage.packages() {
            let key = self.find(name, "the workspace")?;
            // Tests may need more than the program does.
            if let Some(entry) = self.packages.get_mut(&key) {
                entry.dependencies.retain(|dependency| wanted.contains(&first_word(dependency)));
                let locked: Vec<&str> =
                    entry.dependencies.iter().map(|dependency| first_word(dependency)).collect();
                if let Some(missing) = wanted.iter().find(|name| !locked.contains(*name)) {
                    return Err(not_locked(missing, &key.0));
                }
            }
            open.push(key);
        }
        while let Some(key) = open.pop() {
            if !kept.insert(key.clone()) {
                continue;
            }
            let dependencies =
                self.packages.get(&key).map(|entry| entry.dependencies.clone()).unwrap_or_default();
            for dependency in dependencies {
                open.push(self.find(&dependency, &key.0)?);
            }
        }
        self.packages.retain(|key, _| kept.contains(key));
        Ok(self)
    }

    /// The package that a line of `dependencies` names; the version is left out where only one is locked.
    fn find(&self, dependency: &str, wanted_by: &str) -> Result<(String, String), CompileError> {
        let mut words = dependency.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        let fits = |key: &&(String, String)| key.0 == name && version.is_none_or(|version| key.1 == version);
        self.packages.keys().find(fits).cloned().ok_or_else(|| not_locked(dependency, wanted_by))
    }

    /// The crates from registries, sorted.
    pub fn crates(&self) -> Result<Vec<Crate>, CompileError> {
        let mut crates = Vec::new();
        for ((name, version), entry) in &self.packages {
            let Some(source) = &entry.source else { continue };
            let checksum = entry.checksum.as_deref().and_then(|text| text.parse().ok());
            let registry = source.starts_with("registry+") || source.starts_with("sparse+");
            let (Some(checksum), true) = (checksum, registry) else {
                let (name, version, from) = (name.clone(), version.clone(), source.clone());
                return Err(CompileError::NotRegistry { name, version, from });
            };
            crates.push(Crate { name: name.clone(), version: version.clone(), checksum });
        }
        Ok(crates)
    }

    /// As a Cargo.lock.
    pub fn to_text(&self) -> String {
        let mut out = format!("version = {}\n", self.version);
        for ((name, version), entry) in &self.packages {
            let _ = write!(out, "\n[[package]]\nname = {name:?}\nversion = {version:?}\n");
            for (key, value) in [("source", &entry.source), ("checksum", &entry.checksum)] {
                if let Some(value) = value {
                    let _ = writeln!(out, "{key} = {value:?}");
                }
            }
            if !entry.dependencies.is_empty() {
                let _ = writeln!(out, "dependencies = {:?}", entry.dependencies);
            }
        }
        out
    }
}

fn first_word(dependency: &str) -> &str {
    dependency.split(' ').next().unwrap_or_default()
}

fn not_locked(name: &str, wanted_by: &str) -> CompileError {
    CompileError::NotLocked { name: name.to_owned(), wanted_by: wanted_by.to_owned() }
}
