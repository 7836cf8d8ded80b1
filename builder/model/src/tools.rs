use schemars::JsonSchema;
use serde::Deserialize;

use crate::overlay::Without;
use crate::{Diagnostic, Document, Located, Source};

/// Programs the builder runs on the host: Debian packages, unpacked in the cache and run by their own loader.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ToolTable {
    /// Tool sets, each resolved by itself.
    #[serde(rename = "tool")]
    pub tools: Vec<Tool>,
}

/// One set of tools, unpacked into one folder.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tool {
    /// Name of the set, as in `Sets:` of the lock.
    pub name: Located<String>,
    /// What it is for.
    pub description: String,
    /// Debian packages; what they depend on comes with them.
    pub packages: Vec<Located<String>>,
    /// Dependencies that are left out.
    #[serde(default, rename = "without")]
    pub withouts: Vec<Without>,
}

impl Document for ToolTable {
    const KIND: &'static str = "table of tools";

    fn check(&self, source: &Source) -> Result<(), Diagnostic> {
        for (i, tool) in self.tools.iter().enumerate() {
            if tool.name.as_str() == "image" || self.tools[..i].iter().any(|t| t.name == tool.name) {
                return Err(source.complain(tool.name.span(), format!("the name `{}` is taken", tool.name)));
            }
            if tool.packages.is_empty() {
                return Err(
                    source.complain(tool.name.span(), format!("tool set `{}` has no packages", tool.name))
                );
            }
        }
        Ok(())
    }
}
