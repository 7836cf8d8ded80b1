use std::io;
use std::path::{Path, PathBuf};

use geminios_model::TreePath;

/// Why what boots a machine cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error(
        "{path} of the initrd cannot be read from the store: {error}\n  help: run the build again; what is damaged is fetched anew"
    )]
    Content { path: TreePath, error: io::Error },

    #[error("the initrd cannot be compressed: {0}")]
    Compress(io::Error),

    #[error("{what} cannot be part of a unified kernel image: {why}")]
    NotPe { what: &'static str, why: String },

    #[error(
        "the stub has room for {room} more section headers, {needed} are needed\n  help: use the stub of another version of systemd-boot-efi"
    )]
    HeaderRoom { room: usize, needed: usize },

    #[error(
        "stub and kernel are for different machines ({stub:#06x} and {kernel:#06x})\n  help: both must be of the board's architecture; see its packages in the lock"
    )]
    Machines { stub: u16, kernel: u16 },

    #[error("the unified kernel image would have {size} bytes; it must stay below 2 GiB")]
    UkiTooLarge { size: usize },

    #[error(
        "the EFI system partition is too small: {needed} bytes of files, {size} bytes in all\n{}  help: raise `esp` in the profile's [sizes], or make the unified kernel image smaller",
        table(files)
    )]
    EspTooSmall { needed: u64, size: u64, files: Vec<(String, u64)> },

    #[error(
        "the EFI system partition has {0} bytes; FAT32 needs at least 34 MiB\n  help: raise `esp` in the profile's [sizes]"
    )]
    EspBelowFat32(u64),

    #[error("{path}: the EFI system partition cannot be {done}: {why}")]
    Fat { path: PathBuf, done: &'static str, why: String },

    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

impl BootError {
    pub(crate) fn fat(
        path: &Path,
        done: &'static str,
    ) -> impl FnOnce(hadris_fs::PathError) -> BootError + use<> {
        let path = path.to_owned();
        move |error| BootError::Fat { path, done, why: error.to_string() }
    }
}

fn table(files: &[(String, u64)]) -> String {
    files.iter().map(|(path, size)| format!("  {size:>12}  {path}\n")).collect()
}
