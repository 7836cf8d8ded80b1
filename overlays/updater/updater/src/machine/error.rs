use std::io;
use std::path::{Path, PathBuf};

use geminios_slots::{Refusal, RunError};

/// Why a verb cannot work on this machine, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    #[error("cannot {verb} {}: {error}{}", path.display(), remedy(error))]
    Io { verb: &'static str, path: PathBuf, error: io::Error },
    #[error(
        "another updater works: {holder}\n  help: wait until it is done; `geminios-updater status` shows how far it is"
    )]
    Busy { holder: String },
    #[error(
        "this image does not say what it is: {0}\n  help: only an image that the builder made has an updater that works"
    )]
    Image(io::Error),
    #[error(
        "the kernel's command line has no roothash= of 64 digits\n  help: this machine was not started from a slot; start it from the disk that it updates"
    )]
    NoRootHash,
    #[error(
        "the root ({root}) is on no dm-verity mapping of a disk's partitions\n  help: this machine was not started from a slot; start it from the disk that it updates"
    )]
    RootOnNoSlot { root: String },
    #[error("the kernel says `{}` in {}, which is no number", text.trim(), path.display())]
    Kernel { path: PathBuf, text: String },
    #[error("{} has no partition labelled esp\n  help: write an image of GeminiOS to the disk", disk.display())]
    NoEsp { disk: PathBuf },
    #[error("{} is mounted at {}, and in use there\n  help: the updater checks it before it writes: leave that folder, and try again", node.display(), at.display())]
    EspMounted { node: PathBuf, at: PathBuf },
    #[error("the file system of {} cannot be mended: fsck.fat: {outcome}\n  help: the disk may be failing; the running system is safe until it is restarted", node.display())]
    Fsck { node: PathBuf, outcome: String },
    #[error("{} cannot be mounted: {error}\n  help: see the kernel's messages", node.display())]
    EspMount { node: PathBuf, error: io::Error },
    #[error(
        "this board boots by {boot}, but its image does not say where that keeps its bytes\n  help: the board's description has to name the place; until then, write images to its disk"
    )]
    NoBootBytes { boot: String },
    #[error(
        "`{boot}` is no way to boot that this updater knows\n  help: write an image to the disk by which the updater knows it"
    )]
    UnknownBoot { boot: String },
    #[error("looking at the disk: {0}\n  help: the disk may be failing; see the kernel's messages")]
    Observe(io::Error),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(
        "{0}\n  help: what was done stays, and the system that runs is whole; `geminios-updater recover` cleans up"
    )]
    Step(#[from] RunError),
}

pub(crate) fn io(verb: &'static str, path: &Path) -> impl Fn(io::Error) -> MachineError + use<> {
    let path = path.to_owned();
    move |error| MachineError::Io { verb, path: path.clone(), error }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "\n  help: run this as root",
        io::ErrorKind::StorageFull => "\n  help: remove files from /var",
        _ => "",
    }
}
