//! Why a run cannot go on.

use std::io;
use std::path::{Path, PathBuf};

/// A failure; its text names the file or value and, where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused an operation.
    #[error("cannot {doing} {}: {source}{}", path.display(), remedy(source))]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    /// A key or certificate could not be made or encoded.
    #[error("cannot make {what}: {reason}")]
    Make { what: String, reason: String },
    /// Nothing to call the node's address.
    #[error(
        "no interface has an IPv4 address, even after {waited} s, none was known before, and there is no interface {}\n  help: connect the network; it is tried again",
        crate::address::FALLBACK_INTERFACE
    )]
    NoAddress { waited: u64 },
    /// A file that stands for a client of the API server.
    #[error(
        "{}: no kubeconfig can be called so, or the node has one of this name\n  help: give the file another name, of small letters, digits and `-`",
        path.display()
    )]
    Client { path: PathBuf },
    /// The node's name is made from the machine-id.
    #[error("{} does not begin with 8 hexadecimal digits, from which the node gets its name: {text:?}", path.display())]
    MachineId { path: PathBuf, text: String },
}

impl Error {
    /// Names the operation and the file that an error of the kernel belongs to.
    pub fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::File { doing, path, source }
    }

    /// Names what an error of a codec belongs to.
    pub fn make<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Error {
        let what = what.to_owned();
        move |reason| Error::Make { what, reason: reason.to_string() }
    }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\n  help: free space on this file system; it is tried again"
        }
        io::ErrorKind::PermissionDenied => "\n  help: run it as root",
        _ => "",
    }
}
