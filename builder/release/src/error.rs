use std::io;
use std::path::{Path, PathBuf};

/// Why keys, a repository or a bundle cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    #[error("{}: {error}{}", path.display(), if error.kind() == io::ErrorKind::StorageFull { "\n  help: the disk is full; make room, and run this again" } else { "" })]
    Io { path: PathBuf, error: io::Error },
    #[error("{} is no private key: {why}\n  help: an ed25519 key as PKCS#8 PEM is needed, as `openssl genpkey -algorithm ed25519` writes it", path.display())]
    Key { path: PathBuf, why: String },
    #[error("{} can be read by others (mode {mode:04o})\n  help: chmod 600 {}", path.display(), path.display())]
    Readable { path: PathBuf, mode: u32 },
    #[error("{}: {why}\n  help: it needs `public` (64 hexadecimal digits) and `command` (a list: program and arguments)", path.display())]
    Signer { path: PathBuf, why: String },
    #[error(
        "key {key}: its command {why}\n  help: it gets the bytes to sign on standard input and prints the signature, 64 bytes as hexadecimal or base64"
    )]
    Command { key: String, why: String },
    #[error(
        "{} of {threshold} needed keys of role {role} are at hand\n  help: give the folder with the others, or a command that signs with them",
        available
    )]
    TooFewKeys { role: &'static str, threshold: u64, available: usize },
    #[error("{}: {why}", path.display())]
    KeyFolder { path: PathBuf, why: String },
    #[error("{} is published to by another process\n  help: wait until it is done", .0.display())]
    Busy(PathBuf),
    #[error("{} is no repository: it has no metadata/1.root.json\n  help: make keys first, and begin a repository with their root", .0.display())]
    NoRepository(PathBuf),
    #[error("nothing was published to {} yet\n  help: publish a build first; that signs all of it", .0.display())]
    NothingPublished(PathBuf),
    #[error("{} already has another first root\n  help: use the keys it was begun with, or another folder", .0.display())]
    OtherRoot(PathBuf),
    #[error("{what} of the build: {problem}\n  help: build again")]
    Build { what: String, problem: String },
    #[error(
        "{version} is already released with another {what}\n  help: a release never changes; give the build a new version"
    )]
    Released { version: String, what: &'static str },
    #[error("{} has {size} bytes; SBOM and notes have 1 byte to 16 MiB\n  help: shorten it, or publish without it", path.display())]
    Document { path: PathBuf, size: u64 },
    #[error("{0} is not a name of a channel: letters a-z, digits, - _ and .\n  help: for example `stable`")]
    Channel(String),
    #[error("zstd: {0}")]
    Zstd(String),
    #[error("{0}: too long for a name within a bundle\n  help: use shorter names of profile and board")]
    LongName(String),
    #[error("{file}: {problem}\n  help: `geminios verify` finds all damage; publish the release again")]
    Damaged { file: String, problem: String },
    #[error("no release {0} is in this repository\n  help: `geminios verify` lists what it has")]
    NoRelease(String),
    #[error(transparent)]
    Format(#[from] geminios_update_format::Error),
}

impl ReleaseError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> ReleaseError + use<> {
        let path = path.to_owned();
        move |error| ReleaseError::Io { path, error }
    }
}
