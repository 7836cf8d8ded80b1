use std::io;
use std::path::PathBuf;

use geminios_fetch::{Blob, StepsError, StoreError};
use geminios_model::TreePathError;

/// A package that cannot be unpacked: which file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("{}: {fault}\n  help: this is no package that dpkg-deb would make; do not use the archive it came from", path.display())]
    Hostile { path: PathBuf, fault: Fault },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Steps(#[from] StepsError),
}

impl UnpackError {
    pub(crate) fn of(blob: &Blob) -> impl Fn(Fault) -> UnpackError + '_ {
        |fault| UnpackError::Hostile { path: blob.path.clone(), fault }
    }
}

/// What is wrong with a package.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("it is cut short, or unreadable: {0}")]
    Broken(io::Error),
    #[error("it is no Debian package: {0}")]
    NotAPackage(&'static str),
    #[error("its member `{0}` does not belong there")]
    Member(String),
    #[error("{0}")]
    Path(#[from] TreePathError),
    #[error("{path} is a {kind}, which a package may not hold")]
    Kind { path: String, kind: String },
    #[error("{0} stands twice in it")]
    Twice(String),
    #[error("{path} would be written through the link {link}")]
    ThroughLink { path: String, link: String },
    #[error("{path} is a hard link to {target}, which is no file that comes before it")]
    HardLink { path: String, target: String },
    #[error("{path} is a link to a target that is empty, too long or not text")]
    Target { path: String },
    #[error("{0} has a name or a target that is not UTF-8")]
    NotText(String),
    #[error("{path} has an owner or mode beyond what Linux knows")]
    Owner { path: String },
    #[error("it unpacks to more than {limit} bytes, which is beyond reason for its size")]
    TooLarge { limit: u64 },
    #[error("it has more than {0} members")]
    TooMany(usize),
    #[error("its control data are not of the form `Key: value`")]
    Control,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Broken(error)
    }
}
