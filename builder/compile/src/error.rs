use std::io;
use std::path::{Path, PathBuf};

use geminios_fetch::{StepsError, StoreError};
use geminios_model::Arch;
use geminios_unpack::ToolSetError;

/// Why a program cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: not valid TOML: {error}", path.display())]
    Toml { path: PathBuf, error: Box<toml::de::Error> },
    #[error("{}: {reason}\n  help: {help}", path.display())]
    Manifest { path: PathBuf, reason: String, help: &'static str },
    #[error("{}: neither a file nor a folder\n  help: put the file itself there", path.display())]
    SpecialFile { path: PathBuf },
    #[error(
        "Cargo.lock does not have {name}, which {wanted_by} needs\n  help: a new program stands in `members` of Cargo.toml; then bring Cargo.lock up to date with `cargo metadata`"
    )]
    NotLocked { name: String, wanted_by: String },
    #[error(
        "{name} {version} does not come from a registry of crates but from {from}\n  help: device programs take registry crates only, as their bytes are checked"
    )]
    NotRegistry { name: String, version: String, from: String },
    #[error(
        "cargo could not fetch the crates of Cargo.lock:\n{message}\n  help: `cargo fetch --locked` must work here; it uses your own cargo configuration"
    )]
    Fetch { message: String },
    #[error("crate {file} is not in {} with the checksum that Cargo.lock has\n  help: remove a copy that is there, run `cargo fetch --locked`, and see that cargo takes no vendored sources", home.display())]
    CrateMissing { file: String, home: PathBuf },
    #[error("crate {file}: {reason}")]
    HostileCrate { file: String, reason: String },
    #[error(
        "the locked Rust tools cannot compile for {target}: they have no {missing}\n  help: add the {target} package that brings it to tool set `rust`, then lock again"
    )]
    NoTarget { target: Arch, missing: String },
    #[error(
        "modules of `{program}` cannot be fetched:\n{message}\n  help: they come from where your own Go takes modules: GOPROXY in the environment or in Go's settings; once fetched they are kept"
    )]
    GoModules { program: String, message: String },
    #[error(
        "a module of `{program}` is not the one that {module}/go.sum names:\n{message}\n  help: do not build from it; compare go.sum with version control, and ask another module proxy (GOPROXY)"
    )]
    GoSumMismatch { program: String, module: String, message: String },
    #[error(
        "{module}/go.mod and go.sum do not name all that `{program}` needs:\n{message}\n  help: run `go mod tidy` in {module}, and look at what changed"
    )]
    GoSumMissing { program: String, module: String, message: String },
    #[error(
        "{name} has hash {sum}, but tools.toml pins {pinned}\n  help: do not build with it; if the pin is to move, take the hash that Go's checksum database has"
    )]
    GoDistribution { name: String, sum: String, pinned: String },
    #[error("the locked compiler does not take `{program}`:\n{message}")]
    Refused { program: String, message: String },
    #[error(
        "package `{program}` was compiled, but gave no binary `{binary}`\n  help: name one of its binaries in overlay.toml"
    )]
    NoBinary { program: String, binary: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Steps(#[from] StepsError),
    #[error(transparent)]
    Tools(#[from] ToolSetError),
}

/// Puts the path that failed beside an I/O error.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> CompileError + '_ {
    move |error| CompileError::Io { path: path.to_owned(), error }
}
