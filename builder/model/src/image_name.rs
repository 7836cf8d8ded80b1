use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Digest;

/// The longest name in characters: so long may a file's name be that is made of it.
const LONGEST: usize = 250;

/// Whole name of a container image: `registry.example/team/app:1.2`. Nothing is filled in, neither registry nor tag.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageName {
    text: Box<str>,
    /// Where the repository begins, behind the registry's `/`.
    repository: usize,
    /// Where the tag begins, behind its `:`.
    tag: usize,
}

/// Why a text is not an [`ImageName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageNameError {
    #[error("`{0}` names no registry: write it whole, such as registry.example/team/app:1.2")]
    NoRegistry(String),
    #[error("`{0}` has no tag: end it with one, such as :1.2; the image is known by it on the device")]
    NoTag(String),
    #[error("`{0}` has a digest in it: leave that out; it stands under `digest`")]
    Digest(String),
    #[error(
        "`{0}` is not the name of an image: small letters and digits with `.`, `_` or `-` between them, parts apart by `/`"
    )]
    Characters(String),
    #[error("`{0}` is longer than 250 characters")]
    TooLong(String),
}

impl ImageName {
    /// Host of the registry, with its port if it has one.
    pub fn registry(&self) -> &str {
        &self.text[..self.repository - 1]
    }

    /// Name below the registry: `team/app`.
    pub fn repository(&self) -> &str {
        &self.text[self.repository..self.tag - 1]
    }

    /// The tag, without its colon.
    pub fn tag(&self) -> &str {
        &self.text[self.tag..]
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name with a digest in place of its tag: `registry.example/team/app@sha256:…`.
    pub fn by_digest(&self, digest: &Digest) -> String {
        format!("{}@sha256:{digest}", &self.text[..self.tag - 1])
    }

    /// Name of the image's file on the device. No two names have the same: neither sign is part of any name.
    pub fn file(&self) -> String {
        format!("{}.tar", self.text.replace('/', "+").replace(':', "@"))
    }
}

impl FromStr for ImageName {
    type Err = ImageNameError;

    /// The grammar of the distribution project's reference package, less what it fills in.
    fn from_str(text: &str) -> Result<Self, ImageNameError> {
        let shown = || text.escape_debug().to_string();
        if text.len() > LONGEST {
            return Err(ImageNameError::TooLong(shown()));
        }
        if text.contains('@') {
            return Err(ImageNameError::Digest(shown()));
        }
        let (registry, rest) = text
            .split_once('/')
            .filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost")
            .ok_or_else(|| ImageNameError::NoRegistry(shown()))?;
        let (repository, tag) = rest.rsplit_once(':').ok_or_else(|| ImageNameError::NoTag(shown()))?;
        if !is_host(registry) || !repository.split('/').all(is_component) || !is_tag(tag) {
            return Err(ImageNameError::Characters(shown()));
        }
        let begin = registry.len() + 1;
        Ok(ImageName { text: text.into(), repository: begin, tag: begin + repository.len() + 1 })
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "80"));
    let label = |label: &str| {
        let plain = label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    port.parse::<u16>().is_ok() && name.split('.').all(label)
}

/// Small letters and digits, apart by `.`, `_`, `__` or any number of `-`.
fn is_component(part: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let gaps = part.split(alphanumeric).filter(|gap| !gap.is_empty());
    let fits = |gap: &str| matches!(gap, "." | "_" | "__") || gap.chars().all(|c| c == '-');
    part.starts_with(alphanumeric) && part.ends_with(alphanumeric) && gaps.into_iter().all(fits)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=128).contains(&tag.len())
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || ".-".contains(c))
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl Serialize for ImageName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ImageName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ImageName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ImageName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[^/]+/[^@]+:[^:/]+$" })
    }
}
