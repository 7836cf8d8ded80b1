//! What a Cargo.toml says about dependencies, and what of it a device program needs.

use std::fs;
use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

use crate::error::{CompileError, at};

/// Tables of a manifest that only serve tests and checks. Without them their crates are not needed either.
const NOT_FOR_DEVICES: [&str; 6] = ["bench", "dev-dependencies", "example", "lints", "profile", "test"];

/// A Cargo.toml.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    path: PathBuf,
    table: Table,
}

/// What a package depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    /// Its own name, whatever the manifest calls it.
    pub name: String,
    /// Name under which the workspace's manifest has it, if it is inherited.
    pub inherited: Option<String>,
    /// Its folder, if it is a package of this tree.
    pub folder: Option<PathBuf>,
}

impl Manifest {
    /// Reads the Cargo.toml of a folder.
    pub fn read(folder: &Path) -> Result<Self, CompileError> {
        let path = folder.join("Cargo.toml");
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        Manifest::parse(path, &text)
    }

    pub fn parse(path: PathBuf, text: &str) -> Result<Self, CompileError> {
        match text.parse() {
            Ok(table) => Ok(Manifest { path, table }),
            Err(error) => Err(CompileError::Toml { path, error: Box::new(error) }),
        }
    }

    /// `[package] name`.
    pub fn name(&self) -> Result<&str, CompileError> {
        let name = self.table.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
        name.ok_or_else(|| self.complain("it has no [package] name".into(), "name the folder of a package"))
    }

    /// What the package depends on, for any target, without its tests.
    pub fn dependencies(&self, workspace: &Manifest) -> Result<Vec<Dependency>, CompileError> {
        let targets = self.table.get("target").and_then(Value::as_table);
        let tables = std::iter::once(&self.table)
            .chain(targets.into_iter().flat_map(|t| t.values()).filter_map(Value::as_table));
        let mut found = Vec::new();
        for table in tables {
            for kind in ["dependencies", "build-dependencies"] {
                for (name, wish) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                    found.push(self.dependency(name, wish, workspace)?);
                }
            }
        }
        Ok(found)
    }

    fn dependency(&self, name: &str, wish: &Value, workspace: &Manifest) -> Result<Dependency, CompileError> {
        let inherits = wish.get("workspace").and_then(Value::as_bool) == Some(true);
        let (wish, at) = if inherits {
            let known = workspace.inherited("dependencies").and_then(|table| table.get(name));
            let missing = || {
                self.complain(
                    format!("dependency `{name}` is not in the workspace"),
                    "add it to [workspace.dependencies]",
                )
            };
            (known.ok_or_else(missing)?, workspace)
        } else {
            (wish, self)
        };
        let text = |key| wish.get(key).and_then(Value::as_str);
        Ok(Dependency {
            name: text("package").unwrap_or(name).to_owned(),
            inherited: inherits.then(|| name.to_owned()),
            folder: text("path").map(|path| plain(&at.folder().join(path))),
        })
    }

    /// The manifest as it is staged.
    pub fn for_device(&self) -> String {
        let mut table = self.table.clone();
        strip(&mut table);
        for target in
            table.get_mut("target").and_then(Value::as_table_mut).into_iter().flat_map(|t| t.iter_mut())
        {
            if let Some(table) = target.1.as_table_mut() {
                strip(table);
            }
        }
        table.to_string()
    }

    /// A workspace manifest with these members, what they inherit, and that profile.
    pub fn for_workspace(&self, members: &[String], inherited: &[&str], profile: &str) -> String {
        let mut workspace = Table::new();
        workspace
            .insert("members".into(), Value::Array(members.iter().cloned().map(Value::String).collect()));
        for key in ["resolver", "package"] {
            if let Some(value) = self.workspace().and_then(|table| table.get(key)) {
                workspace.insert(key.into(), value.clone());
            }
        }
        let known = self.inherited("dependencies").into_iter().flatten();
        let used: Table = known
            .filter(|(name, _)| inherited.contains(&name.as_str()))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        workspace.insert("dependencies".into(), Value::Table(used));
        let root = Table::from_iter([("workspace".to_owned(), Value::Table(workspace))]);
        format!("{root}\n{profile}")
    }

    fn workspace(&self) -> Option<&Table> {
        self.table.get("workspace").and_then(Value::as_table)
    }

    fn inherited(&self, key: &str) -> Option<&Table> {
        self.workspace().and_then(|workspace| workspace.get(key)).and_then(Value::as_table)
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    fn complain(&self, reason: String, help: &'static str) -> CompileError {
        CompileError::Manifest { path: self.path.clone(), reason, help }
    }
}

fn strip(table: &mut Table) {
    table.retain(|key, _| !NOT_FOR_DEVICES.contains(&key));
}

/// A path without `.` and `..`.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}
