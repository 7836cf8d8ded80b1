//! Which supplies there are: what a person named, or what the settings say.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;

use crate::config::check_url;
use crate::supply::{Bundle, Folder, Http, Limits, Meter, Patience, Supply, SupplyError, Tell};

/// Where a release is to come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Url(String),
    /// A folder or a bundle.
    Path(PathBuf),
    /// Any stick that is plugged in.
    Usb,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "usb" {
            return Ok(Place::Usb);
        }
        if text.contains("://") {
            return check_url(text).map(|()| Place::Url(text.trim_end_matches('/').to_owned()));
        }
        Ok(Place::Path(PathBuf::from(text)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Url(url) => f.write_str(url),
            Place::Path(path) => path.display().fmt(f),
            Place::Usb => f.write_str("a USB stick"),
        }
    }
}

/// How a web server is talked to.
#[derive(Clone)]
pub struct Web {
    pub limits: Limits,
    /// For metadata, while others may have to wait.
    pub files: Patience,
    /// For the bytes of a release.
    pub blobs: Patience,
    pub meter: Rc<RefCell<Meter>>,
    /// Where a blob is kept that was cut.
    pub part: PathBuf,
}

/// Opens a folder or a bundle.
///
/// # Errors
/// There is neither.
pub fn at_path(path: &Path) -> Result<Box<dyn Supply>, SupplyError> {
    let metadata = std::fs::metadata(path).map_err(SupplyError::io(path))?;
    if metadata.is_dir() {
        return Ok(Box::new(Folder::new(path)));
    }
    Ok(Box::new(Bundle::open(path)?))
}

/// A web server.
pub fn at_url(url: &str, web: &Web, tell: &Tell) -> Box<dyn Supply> {
    Box::new(Http::new(url, web, tell.clone()))
}
