use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest path in bytes (Linux PATH_MAX less the final NUL).
const MAX_PATH: usize = 4095;
/// The longest name in bytes (Linux NAME_MAX).
const MAX_NAME: usize = 255;

/// An absolute path inside an image: `/` or `/usr/bin/x`, without `.`, `..`, empty or NUL-holding names.
/// Names are bytes on Linux; those that are not UTF-8 are refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Box<str>);

/// Why a text is not a [`TreePath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreePathError {
    #[error("path `{0}` does not begin with `/`")]
    NotAbsolute(String),
    #[error("path `{0}` climbs out with `..`")]
    Climbs(String),
    #[error("path `{0}` holds an empty or `.` name, or ends with `/`")]
    NotNormal(String),
    #[error("path `{0}` is too long for Linux (4095 bytes, 255 for a name)")]
    TooLong(String),
    #[error("path `{0}` holds a NUL or a line break")]
    Control(String),
}

impl TreePath {
    /// The root of the tree.
    pub fn root() -> Self {
        TreePath("/".into())
    }

    /// Checks a normal absolute path.
    ///
    /// # Errors
    /// Anything that is not exactly one normal absolute path.
    pub fn new(text: &str) -> Result<Self, TreePathError> {
        if text == "/" {
            return Ok(TreePath::root());
        }
        let shown = || text.escape_debug().to_string();
        let names = text.strip_prefix('/').ok_or_else(|| TreePathError::NotAbsolute(shown()))?;
        if text.contains(['\0', '\n', '\r']) {
            return Err(TreePathError::Control(shown()));
        }
        if text.len() > MAX_PATH || names.split('/').any(|name| name.len() > MAX_NAME) {
            return Err(TreePathError::TooLong(shown()));
        }
        for name in names.split('/') {
            match name {
                ".." => return Err(TreePathError::Climbs(shown())),
                "" | "." => return Err(TreePathError::NotNormal(shown())),
                _ => {}
            }
        }
        Ok(TreePath(text.into()))
    }

    /// Checks a member name of a package's tar: `./usr/bin/x`, `./usr/` or `.`.
    ///
    /// # Errors
    /// As [`TreePath::new`]; absolute member names are refused too.
    pub fn from_member(name: &str) -> Result<Self, TreePathError> {
        let name = match name {
            "." | "./" => return Ok(TreePath::root()),
            _ => name.strip_prefix("./").unwrap_or(name),
        };
        if name.starts_with('/') {
            return Err(TreePathError::NotNormal(name.escape_debug().to_string()));
        }
        TreePath::new(&format!("/{}", name.strip_suffix('/').unwrap_or(name)))
    }

    /// The path as text, with its leading `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path without its leading `/`; empty for the root.
    pub fn relative(&self) -> &str {
        &self.0[1..]
    }

    /// The folder it stands in; `None` for the root.
    pub fn parent(&self) -> Option<TreePath> {
        let cut = self.0.rfind('/').filter(|_| self.0.len() > 1)?;
        Some(TreePath(if cut == 0 { "/".into() } else { self.0[..cut].into() }))
    }

    /// The last name; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// A path below this one.
    ///
    /// # Errors
    /// `tail` is not a normal relative path.
    pub fn join(&self, tail: &str) -> Result<TreePath, TreePathError> {
        let base = if self.0.len() == 1 { "" } else { &self.0 };
        TreePath::new(&format!("{base}/{tail}"))
    }

    /// Whether this path is `folder` or stands anywhere below it.
    pub fn is_within(&self, folder: &TreePath) -> bool {
        folder.0.len() == 1
            || self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::str::FromStr for TreePath {
    type Err = TreePathError;

    fn from_str(text: &str) -> Result<Self, TreePathError> {
        TreePath::new(text)
    }
}

impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        TreePath::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TreePath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^/" })
    }
}
