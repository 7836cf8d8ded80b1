use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Diagnostic, Digest, Document, Located, Source};

/// A script that a package brings for its installation or removal (Debian Policy, chapter 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScriptKind {
    Config,
    Postinst,
    Postrm,
    Preinst,
    Prerm,
}

impl ScriptKind {
    /// All kinds, in the order of their names.
    pub const ALL: [ScriptKind; 5] = [
        ScriptKind::Config,
        ScriptKind::Postinst,
        ScriptKind::Postrm,
        ScriptKind::Preinst,
        ScriptKind::Prerm,
    ];

    /// The member name in control.tar.
    pub fn name(self) -> &'static str {
        match self {
            ScriptKind::Config => "config",
            ScriptKind::Postinst => "postinst",
            ScriptKind::Postrm => "postrm",
            ScriptKind::Preinst => "preinst",
            ScriptKind::Prerm => "prerm",
        }
    }

    /// Whether an installation into an empty tree would run it. The others are hashed but need no classification.
    pub fn runs_at_install(self) -> bool {
        matches!(self, ScriptKind::Postinst | ScriptKind::Preinst)
    }
}

impl fmt::Display for ScriptKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The reviewed table of maintainer scripts: what each does, and what stands for it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScriptTable {
    /// Reviewed scripts.
    #[serde(default, rename = "script")]
    pub scripts: Vec<ClassifiedScript>,
}

/// One reviewed script.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassifiedScript {
    /// Package name. `*` at the end stands for a version in the name (`linux-image-6.12*`).
    pub package: Located<String>,
    /// Which script.
    pub script: ScriptKind,
    /// SHA-256 of its hand-written part, with the sections that debhelper generates taken out.
    /// More than one where versions or architectures differ.
    pub sha256: Vec<Digest>,
    /// What it does.
    pub does: String,
    /// What stands for it in an image, or why nothing need.
    pub instead: String,
}

impl Document for ScriptTable {
    const KIND: &'static str = "table of maintainer scripts";

    fn check(&self, source: &Source) -> Result<(), Diagnostic> {
        for (i, script) in self.scripts.iter().enumerate() {
            if self.scripts[..i].iter().any(|s| s.package == script.package && s.script == script.script) {
                return Err(source
                    .complain(
                        script.package.span(),
                        format!("{} of {} is classified twice", script.script, script.package),
                    )
                    .help("put both digests into one entry"));
            }
            if script.does.trim().is_empty() || script.instead.trim().is_empty() {
                return Err(source
                    .complain(
                        script.package.span(),
                        format!("{} of {} is not explained", script.script, script.package),
                    )
                    .help("say under `does` what it does, and under `instead` what stands for it"));
            }
        }
        Ok(())
    }
}
