use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Diagnostic, ImageName, Located, Source, TreePath};

/// A program of this tree.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Program {
    /// Folder below the overlay's that holds its Cargo.toml or its go.mod.
    pub source: Located<String>,
    /// Name of the binary.
    pub binary: String,
    /// Where it goes.
    pub path: TreePath,
    /// Which tree it goes into.
    pub place: ProgramPlace,
    /// Which of the overlay's images it goes into, if its place is one.
    pub image: Option<Located<ImageName>>,
    /// How it is compiled, where it is Go.
    #[serde(default)]
    pub go: GoWish,
}

/// How a Go program is compiled.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GoWish {
    /// Import path of its main package: `.`, or one of another module that go.mod keeps by a `tool` line.
    pub package: Located<String>,
    /// Build tags.
    pub tags: Vec<Located<String>>,
    /// Values of string variables, by import path and name: `-X` of Go's linker.
    pub strings: BTreeMap<String, Located<String>>,
}

impl Default for GoWish {
    fn default() -> Self {
        GoWish { package: Located::nowhere(".".to_owned()), tags: Vec::new(), strings: BTreeMap::new() }
    }
}

/// Which tree a program goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramPlace {
    Initrd,
    Root,
    Image,
}

impl GoWish {
    /// Each word becomes part of a command line of Go, which splits some of them at blanks.
    pub(crate) fn check(&self, source: &Source) -> Result<(), Diagnostic> {
        let plain = |text: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|c| c.is_ascii_graphic() && !"'\"\\,=".contains(c))
        };
        let words = std::iter::once(&self.package).chain(&self.tags).chain(self.strings.values());
        for word in words {
            if !plain(word) {
                return Err(source
                    .complain(word.span(), format!("`{word}` cannot be given to Go"))
                    .help("write it without blanks, quotes, commas, `=` and a leading `-`"));
            }
        }
        match self.strings.keys().find(|key| !plain(key) || !key.contains('.')) {
            Some(key) => Err(source
                .complain(self.package.span(), format!("`{key}` is not a variable of a Go package"))
                .help("write its import path, a dot and its name")),
            None => Ok(()),
        }
    }
}
