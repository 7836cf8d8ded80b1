use std::io;
use std::path::{Path, PathBuf};

use geminios_boot::BootError;

/// Why a disk image cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error(
        "{partition} has {size} bytes, its partition {room}\n  help: raise its size in the profile's [sizes], or put less into it"
    )]
    TooLarge { partition: &'static str, size: u64, room: u64 },

    #[error("{}: {error}{}", path.display(), if error.kind() == io::ErrorKind::StorageFull { "\n  help: the disk is full; make room, or give another --out" } else { "" })]
    Io { path: PathBuf, error: io::Error },

    #[error("{} is no disk image of GeminiOS: {why}", path.display())]
    NoImage { path: PathBuf, why: String },

    #[error(transparent)]
    Boot(#[from] BootError),

    #[error("{0}")]
    Guid(String),
}

impl DiskError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> DiskError + use<> {
        let path = path.to_owned();
        move |error| DiskError::Io { path, error }
    }
}
