use std::{io, path::PathBuf};

/// What kept a step from being done. The driver tries again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{0:?} cannot be a node's or a replication user's name: a-z, 0-9 and _, at most 63, each its own"
    )]
    Name(String),
    #[error("{path}: paths are absolute, without blanks, quotes and backslashes", path = .0.display())]
    Path(PathBuf),
    #[error("{path}: {1}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    #[error("{path}: another driver, or what it began, still works here; wait for its end", path = .0.display())]
    Locked(PathBuf),
    #[error("{0}: {1}")]
    Program(String, String),
    #[error("PostgreSQL on {path}: {1}", path = .0.display())]
    Sql(PathBuf, String),
    #[error(
        "{path}: there is no data, and epoch {1} is not that of a new site; let the other node lead, or restore a backup",
        path = .0.display()
    )]
    NoData(PathBuf, u64),
    #[error(
        "{path}: a rewind was interrupted, so this data cannot lead; let the other node lead, or restore a backup",
        path = .0.display()
    )]
    HalfRewound(PathBuf),
}

pub(crate) trait At<T> {
    fn at(self, path: &std::path::Path) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, path: &std::path::Path) -> Result<T, Error> {
        self.map_err(|error| Error::File(path.to_owned(), error.into()))
    }
}
