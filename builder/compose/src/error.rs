use std::io;
use std::path::PathBuf;

use geminios_model::{Diagnostic, TreePath, TreePathError};

use crate::scripts::ScriptError;
use crate::tree::Owner;

/// Why a tree cannot be composed.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// Wrong in a description file.
    #[error(transparent)]
    Description(#[from] Diagnostic),

    #[error(
        "{path} is claimed by two overlays:\n  {first}\n  {second}\n  help: keep one of them; what both need belongs in an overlay of its own"
    )]
    TwoOverlays { path: TreePath, first: String, second: String },

    #[error("{place} would hide {path} of {owner}\n  help: if that is meant, add to {toml}:\n{stanza}")]
    NeedsReplace { path: TreePath, place: String, owner: Owner, toml: PathBuf, stanza: String },

    #[error(
        "{path} is in two packages with different content: {first} and {second}\n  help: leave one of them out with a [[without]], or report the fault to Debian"
    )]
    TwoPackages { path: TreePath, first: String, second: String },

    #[error("package {package} has a hard link {path} to {target}, which is no file of that package")]
    HardLink { package: String, path: TreePath, target: TreePath },

    #[error("{path} has no place: {parent} is a link to {target}\n  help: write the path through {target}")]
    ParentIsLink { path: TreePath, parent: TreePath, target: String },

    #[error("{path} has no place: {parent} is a file")]
    ParentIsFile { path: TreePath, parent: TreePath },

    #[error("{path} has no place: there is no folder {parent}")]
    NoParent { path: TreePath, parent: TreePath },

    #[error("{by} puts a file or link at {path}, but a folder with something in it is there")]
    FolderInTheWay { path: TreePath, by: Owner },

    #[error("{path} of {owner} would be a folder, but {there} has a file or link there")]
    NoFolder { path: TreePath, owner: Owner, there: Owner },

    #[error("{path} of {by} is taken: {there} puts something there\n  help: keep one of them")]
    Taken { path: TreePath, by: Owner, there: Owner },

    #[error("{path} cannot be part of an overlay: {why}\n  help: {help}")]
    Rootfs { path: PathBuf, why: String, help: &'static str },

    /// Maintainer scripts that are not what somebody looked at: all of them, so that one run shows the work.
    #[error("{}", list(.0))]
    Scripts(Vec<ScriptError>),

    #[error(
        "no user or group is declared for these, which {file} of {owner} names: {names}\n  help: add to an overlay.toml, with free numbers, or [[prune]] {file}:\n{stanza}"
    )]
    Undeclared { file: TreePath, owner: Owner, names: String, stanza: String },

    #[error("{path} cannot be understood: {why}")]
    Malformed { path: String, why: String },

    #[error(transparent)]
    Path(#[from] TreePathError),

    #[error("the image has no {what} ({looked})\n  help: {help}")]
    Missing { what: &'static str, looked: String, help: &'static str },

    #[error("the image has {} kernels: {}\n  help: choose one linux-image package in the overlays and run `geminios lock`", .0.len(), .0.join(", "))]
    Kernels(Vec<String>),

    #[error("`{program}` failed ({status})\n{output}")]
    Tool { program: &'static str, status: String, output: String },

    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },

    #[error(transparent)]
    Steps(#[from] geminios_fetch::StepsError),
}

fn list(scripts: &[ScriptError]) -> String {
    scripts.iter().map(ScriptError::to_string).collect::<Vec<_>>().join("\n\n")
}

impl ComposeError {
    /// An error of the operating system, with the path it is about.
    pub(crate) fn io(path: impl ToString) -> impl FnOnce(io::Error) -> ComposeError {
        let path = path.to_string();
        move |error| ComposeError::Io { path, error }
    }
}
