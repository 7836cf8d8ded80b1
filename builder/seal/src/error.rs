use std::io;
use std::path::{Path, PathBuf};

use geminios_fetch::StepsError;
use geminios_model::TreePath;

/// Why a tree cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error(
        "{path} of the image cannot be read from the store: {error}\n  help: run the build again; what is damaged is fetched anew"
    )]
    Content { path: TreePath, error: io::Error },

    #[error(
        "`{program}` cannot be run: {error}\n  help: it comes with the tool set `build` of the lock; `geminios clean` unpacks it anew"
    )]
    Start { program: &'static str, error: io::Error },

    #[error("`mkfs.erofs` could not write {out} ({status}){}", said(words))]
    Mkfs { out: PathBuf, status: String, words: String },

    #[error("{path} cannot be written: {error}")]
    Write { path: PathBuf, error: io::Error },

    #[error(
        "the sealed root is too large: {size} bytes, its {what} has {slot} ({place})\nInstalled, before compression:\n{by_overlay}  help: take packages out, prune more, or write {key} = {least}"
    )]
    RootTooLarge {
        /// Bytes.
        size: u64,
        /// Bytes.
        slot: u64,
        what: &'static str,
        place: String,
        key: &'static str,
        /// The smallest value that would do, in the key's unit.
        least: u64,
        by_overlay: String,
    },

    #[error(transparent)]
    Steps(#[from] StepsError),

    #[error(
        "{path} is not what was sealed: {why}\n  help: `geminios clean` removes it from the cache; then build again"
    )]
    Damaged { path: PathBuf, why: String },
}

impl SealError {
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> SealError + use<> {
        let path = path.to_owned();
        move |error| SealError::Write { path, error }
    }
}

fn said(words: &str) -> String {
    let full = if words.contains("No space left") {
        "\n  help: the disk is full; make room, or give another --cache"
    } else {
        ""
    };
    if words.is_empty() { String::new() } else { format!(":\n{words}{full}") }
}
