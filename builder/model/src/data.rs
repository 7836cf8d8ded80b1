use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Diagnostic, Located, Source};

/// Formats of data in /var that the overlay's programs read and write, which an update is compared by: what cannot be rolled
/// back over its data is refused before it is downloaded.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataFormats {
    /// Major version of PostgreSQL.
    pub postgresql: Option<Located<u64>>,
    /// Kine's schema.
    pub kine_schema: Option<Located<u64>>,
    /// Minor version of Kubernetes.
    pub kubernetes_minor: Option<Located<u64>>,
}

/// Where the devices of a profile get updates, and whom they believe.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Updates {
    /// The first root of trust, beside the profile: `1.root.json` that `geminios keys init` wrote.
    pub root: Located<String>,
    /// Address of the repository, `http://` or `https://`; devices may have others in their own settings.
    pub url: Option<Located<String>>,
    /// Which releases: those published for this channel.
    #[serde(default = "stable")]
    pub channel: String,
}

fn stable() -> String {
    "stable".to_owned()
}

impl Updates {
    pub(crate) fn check(&self, source: &Source) -> Result<(), Diagnostic> {
        let Some(url) = &self.url else { return Ok(()) };
        let known = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
        if known && !url.contains(char::is_whitespace) {
            return Ok(());
        }
        Err(source
            .complain(url.span(), format!("`{}` is no address of a repository", **url))
            .help("begin it with `https://` or `http://`"))
    }
}
