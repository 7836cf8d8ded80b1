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
    /// What compiles the Go programs.
    pub go: GoPin,
}

/// A distribution of Go for hosts of the tools' architecture. It is a module, `golang.org/toolchain`; the Go of tool
/// set `go` fetches it as it fetches any other (Go Toolchains, "Go toolchain selection").
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GoPin {
    /// Such as `1.26.8`.
    pub version: Located<String>,
    /// Hash of the module as go.sum has it: `h1:` and 44 characters of base64.
    pub sum: Located<String>,
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
        let GoPin { version, sum } = &self.go;
        if version.is_empty() || !version.chars().all(|c| c.is_ascii_digit() || c == '.') {
            return Err(source.complain(version.span(), format!("`{version}` is not a version of Go")));
        }
        let hash = sum.strip_prefix("h1:").unwrap_or_default();
        let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        if hash.len() != 44 || !hash.chars().all(base64) {
            return Err(source.complain(sum.span(), format!("`{sum}` is not a hash of a module")).help(
                format!(
                    "take Sum of `go mod download -json golang.org/toolchain@v0.0.1-go{version}.linux-amd64`"
                ),
            ));
        }
        Ok(())
    }
}
