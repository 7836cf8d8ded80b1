use std::io;
use std::path::PathBuf;

use geminios_update_format::Error as FormatError;

use crate::config::shown;

/// Why bytes cannot be got, or are not taken. What runs was not touched; what was written stays, and the next run goes on there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupplyError {
    #[error(
        "{program} cannot be started: {error}\n  help: the image must have curl for updates from a web server; install from a stick instead"
    )]
    NoCurl { program: String, error: io::Error },
    #[error("{url}: {problem}\n  help: {help}")]
    Link { url: String, problem: String, help: &'static str },
    #[error("{url}: the server answers {status}\n  help: {help}")]
    Status { url: String, status: u16, help: &'static str },
    #[error(
        "{file}: not there, in {place}\n  help: the repository is not complete; copy or publish it again as a whole"
    )]
    Missing { file: String, place: String },
    #[error(
        "{file}: longer than the {most} bytes it may have, in {place}\n  help: the server sends something else than the file; check its address, or a proxy between"
    )]
    TooLong { file: String, place: String, most: u64 },
    #[error(
        "{file}: it has {seen} bytes in {place}, the signed index says {expected}\n  help: the file is cut or was changed; copy or publish the repository again"
    )]
    Length { file: String, place: String, expected: u64, seen: u64 },
    #[error(
        "{file}: its SHA-256 is {seen}, in {place}\n  help: the file is damaged or was changed; copy or publish the repository again"
    )]
    Damaged { file: String, place: String, seen: String },
    #[error(
        "{url}: the server packed the file ({encoding}), though nobody asked for that\n  help: the files of a repository must be sent as they are; see the server's settings"
    )]
    Encoded { url: String, encoding: String },
    #[error(
        "{file}: it does not unpack: {problem}\n  help: the file is not what a publisher makes; publish the release again"
    )]
    Unpack { file: String, problem: String },
    #[error("{image} from {offset}: what was made of {file} has SHA-256 {seen}\n  help: {help}")]
    Output { image: &'static str, offset: u64, file: String, seen: String, help: &'static str },
    #[error("{0}: the server does not send parts of files")]
    NoRanges(String),
    #[error("{} of today's {} are spent\n  help: the next automatic run goes on where this one stopped; by hand it is not limited", shown(*spent), shown(*budget))]
    Budget { spent: u64, budget: u64 },
    #[error(
        "the maintenance window has closed\n  help: the next automatic run goes on where this one stopped; by hand it is not limited"
    )]
    WindowClosed,
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: {problem}", path.display())]
    Bundle { path: PathBuf, problem: String },
    #[error("{what}\n  help: {help}")]
    Place { what: String, help: &'static str },
    #[error("{} cannot be kept: {error}\n  help: make room on /var; without it nobody could tell an old repository from a new one", path.display())]
    Keep { path: PathBuf, error: io::Error },
    #[error("{} has no root of trust: {problem}\n  help: build the image with a repository's first root, or give one on the device", path.display())]
    NoRoot { path: PathBuf, problem: String },
    #[error("{0}")]
    Format(Box<FormatError>),
}

impl From<FormatError> for SupplyError {
    fn from(error: FormatError) -> Self {
        SupplyError::Format(Box::new(error))
    }
}

impl SupplyError {
    /// It ended because of a limit that was set, not because something is wrong.
    pub fn is_pause(&self) -> bool {
        matches!(self, SupplyError::Budget { .. } | SupplyError::WindowClosed)
    }

    /// It says something of the repository, not of the link or this device.
    pub fn is_refusal(&self) -> bool {
        use SupplyError as E;
        matches!(
            self,
            E::Format(_)
                | E::Damaged { .. }
                | E::Length { .. }
                | E::TooLong { .. }
                | E::Missing { .. }
                | E::Unpack { .. }
                | E::Output { .. }
                | E::Bundle { .. }
        )
    }

    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> SupplyError + use<> {
        let path = path.to_owned();
        move |error| SupplyError::Io { path, error }
    }
}
