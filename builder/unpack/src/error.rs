use std::io;

use geminios_fetch::{Blob, StepsError, StoreError};
use geminios_model::{TreePath, TreePathError};

use crate::control::Control;

/// A package that cannot be unpacked: which, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error(
        "{package}: {fault}\n  help: dpkg-deb makes no such package; do not use the archive it came from"
    )]
    Hostile {
        /// Name and version, or the file where it does not tell them.
        package: String,
        fault: Fault,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Steps(#[from] StepsError),
}

impl UnpackError {
    pub(crate) fn new(blob: &Blob, control: Option<&Control>, fault: Fault) -> Self {
        match fault {
            // The disk's fault, and not the package's.
            Fault::Broken(error) if error.raw_os_error().is_some() => {
                StoreError::Io { path: blob.path.clone(), error }.into()
            }
            fault => {
                let named = control.and_then(Control::name);
                let package = named.unwrap_or_else(|| format!("the package in {}", blob.path.display()));
                UnpackError::Hostile { package, fault }
            }
        }
    }
}

/// What is wrong with a package.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("it is cut short or damaged: {0}")]
    Broken(io::Error),
    #[error("it is no Debian package: {0}")]
    NotAPackage(&'static str),
    #[error("its part `{0}` does not belong there")]
    Part(String),
    #[error("{part}: {fault}")]
    In { part: &'static str, fault: Box<Fault> },
    #[error("its member at byte {at} {what}")]
    Header { at: u64, what: &'static str },
    #[error("{path} {what}")]
    Member { path: String, what: &'static str },
    #[error("{0}")]
    Path(#[from] TreePathError),
    #[error("{path} is a {kind}, which a package may not hold")]
    Kind { path: String, kind: &'static str },
    #[error("{0} stands twice in it")]
    Twice(String),
    #[error("{path} would be written through {link}, which is a link")]
    ThroughLink { path: String, link: String },
    #[error("{path} comes before its folder")]
    NoFolder { path: String },
    #[error("{path} is a hard link to {target}, which is no file that comes before it")]
    HardLink { path: String, target: String },
    #[error("{path} is a link whose target is empty, too long or more than one line")]
    Target { path: String },
    #[error("it unpacks to more than {limit} bytes, which is beyond reason for its size")]
    TooLarge { limit: u64 },
    #[error("it has more than {0} members")]
    TooMany(usize),
    #[error("its names and link targets have more than {0} bytes")]
    TooMuchText(usize),
    #[error("its control file is wrong: {0}")]
    Control(String),
}

impl Fault {
    /// Says in which part of the package it is.
    pub(crate) fn within(part: &'static str) -> impl Fn(Fault) -> Fault {
        move |fault| match fault {
            Fault::Broken(error) if error.raw_os_error().is_some() => Fault::Broken(error),
            fault => Fault::In { part, fault: Box::new(fault) },
        }
    }
}

/// A path as messages show it: what a package says may not steer the terminal.
pub(crate) fn shown(path: &TreePath) -> String {
    path.as_str().escape_debug().to_string()
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Broken(error)
    }
}
