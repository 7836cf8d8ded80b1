use deb822_fast::borrowed::{BorrowedParagraph, BorrowedParser};
use debversion::Version;
use geminios_model::{Arch, Digest};

use crate::relation::{Qualifier, is_name, parse_version};
use crate::release::is_relative_path;

/// Debian's largest index (main, all of one architecture) is 57 MB, its longest stanza 60 KB.
const LARGEST_INDEX: usize = 512 << 20;
const LARGEST_STANZA: usize = 4 << 20;

/// One version of a package that a suite offers: what is kept of its stanza.
#[derive(Debug)]
pub(crate) struct Available {
    pub name: String,
    pub version: Version,
    pub version_text: String,
    pub architecture: String,
    /// Number of the archive and suite, in the order in which they were added.
    pub archive: usize,
    pub filename: String,
    pub size: u64,
    pub sha256: Digest,
    pub source: Option<String>,
    /// `Multi-Arch: allowed`.
    pub multi_arch_allowed: bool,
    /// `Essential: yes`.
    pub essential: bool,
    pub priority: Priority,
    pub pre_depends: String,
    pub depends: String,
    pub conflicts: String,
    pub breaks: String,
    pub provides: String,
}

/// How likely a system is to have a package (Debian Policy, section 2.5), most likely first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    Required,
    Important,
    Standard,
    Optional,
}

/// What is wrong with a Packages file.
#[derive(Debug, thiserror::Error)]
pub enum IndexProblem {
    #[error("larger than {} MiB", LARGEST_INDEX >> 20)]
    TooLarge,
    #[error("the stanza is larger than {} MiB", LARGEST_STANZA >> 20)]
    LargeStanza,
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not of the form `Key: value` ({0})")]
    Syntax(String),
    #[error("the stanza has no field `{0}`")]
    Missing(&'static str),
    #[error("`{value}` is no value for {field}:")]
    Value { field: &'static str, value: String },
}

/// Reads all stanzas; errors have the byte offset of what is wrong.
pub(crate) fn read_file(packages: &[u8], archive: usize) -> Result<Vec<Available>, (usize, IndexProblem)> {
    if packages.len() > LARGEST_INDEX {
        return Err((0, IndexProblem::TooLarge));
    }
    let text = std::str::from_utf8(packages).map_err(|e| (e.valid_up_to(), IndexProblem::NotUtf8))?;
    let mut found = Vec::new();
    let mut at = 0;
    for chunk in text.split_inclusive("\n\n") {
        if chunk.len() > LARGEST_STANZA {
            return Err((at, IndexProblem::LargeStanza));
        }
        let paragraphs =
            BorrowedParser::new(chunk).parse_all().map_err(|e| (at, IndexProblem::Syntax(e.to_string())))?;
        for paragraph in &paragraphs {
            found.push(read_stanza(paragraph, archive).map_err(|problem| (at, problem))?);
        }
        at += chunk.len();
    }
    Ok(found)
}

fn read_stanza(stanza: &BorrowedParagraph<'_>, archive: usize) -> Result<Available, IndexProblem> {
    let field = |name: &'static str| stanza.get_single(name).map(str::trim);
    let must = |name: &'static str| field(name).ok_or(IndexProblem::Missing(name));
    let bad = |field: &'static str, value: &str| IndexProblem::Value {
        field,
        value: value.chars().take(200).collect(),
    };
    let checked = |name: &'static str, good: fn(&str) -> bool| {
        let value = must(name)?;
        if good(value) { Ok(value.to_owned()) } else { Err(bad(name, value)) }
    };
    // Relation fields are read when the solver asks for them; most packages are never looked at.
    let long = |name| stanza.get(name).map(|lines| lines.join(" ")).unwrap_or_default();
    let version_text = must("Version")?;
    let size = must("Size")?;
    let sha256 = must("SHA256")?;
    Ok(Available {
        name: checked("Package", is_name)?,
        version: parse_version(version_text).ok_or_else(|| bad("Version", version_text))?,
        version_text: version_text.to_owned(),
        architecture: checked("Architecture", is_name)?,
        archive,
        filename: checked("Filename", is_relative_path)?,
        size: size.parse().map_err(|_| bad("Size", size))?,
        sha256: sha256.parse().map_err(|_| bad("SHA256", sha256))?,
        source: field("Source")
            .map(|source| checked_source(source).ok_or_else(|| bad("Source", source)))
            .transpose()?,
        multi_arch_allowed: field("Multi-Arch") == Some("allowed"),
        essential: field("Essential") == Some("yes"),
        priority: match field("Priority") {
            Some("required") => Priority::Required,
            Some("important") => Priority::Important,
            Some("standard") => Priority::Standard,
            _ => Priority::Optional,
        },
        pre_depends: long("Pre-Depends"),
        depends: long("Depends"),
        conflicts: long("Conflicts"),
        breaks: long("Breaks"),
        provides: long("Provides"),
    })
}

/// `name` or `name (version)`.
fn checked_source(text: &str) -> Option<String> {
    let (name, version) = text.split_once(' ').unwrap_or((text, "(0)"));
    let version = version.trim().strip_prefix('(')?.strip_suffix(')')?;
    (is_name(name) && parse_version(version).is_some()).then(|| text.to_owned())
}

impl Available {
    pub fn is_for(&self, arch: Arch) -> bool {
        self.architecture == "all" || self.architecture == arch.debian()
    }

    /// Whether a relation with this qualifier may mean this package.
    pub fn fits(&self, qualifier: &Qualifier, arch: Arch) -> bool {
        match qualifier {
            Qualifier::None => true,
            Qualifier::Any => self.multi_arch_allowed,
            // An `all` package counts as one of the native architecture (multiarch specification).
            Qualifier::Arch(named) => named == arch.debian(),
        }
    }

    /// Source package and its version.
    pub fn source(&self) -> (String, String) {
        match self.source.as_deref().and_then(|source| source.split_once(' ')) {
            Some((name, version)) => (name.to_owned(), version.trim_matches(['(', ')', ' ']).to_owned()),
            None => (self.source.clone().unwrap_or_else(|| self.name.clone()), self.version_text.clone()),
        }
    }
}
