use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;

use crate::diagnostic::{Diagnostic, Source};

/// A description file: what it is called in messages, and the checks beyond its grammar.
pub trait Document: DeserializeOwned + JsonSchema {
    /// `profile`, `board`, …: the word used in messages.
    const KIND: &'static str;

    /// Checks that need more than one field.
    ///
    /// # Errors
    /// The first thing wrong, at its place in the file.
    fn check(&self, source: &Source) -> Result<(), Diagnostic>;
}

/// Reads and checks a description file.
///
/// # Errors
/// The first thing wrong, with the line it stands on and, for a misspelt key, the key that was meant.
pub fn parse<D: Document>(source: &Source) -> Result<D, Diagnostic> {
    let document: D = toml::from_str(source.text()).map_err(|error| explain::<D>(source, &error))?;
    document.check(source)?;
    Ok(document)
}

/// The JSON schema of a description file, for editors.
pub fn schema<D: Document>() -> Schema {
    schemars::schema_for!(D)
}

fn explain<D: Document>(source: &Source, error: &toml::de::Error) -> Diagnostic {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let complaint = source.complain(span, format!("this {} cannot be read", D::KIND)).label(message);
    match misspelt(message) {
        Some(meant) => complaint.help(format!("did you mean `{meant}`?")),
        None => complaint,
    }
}

/// From serde's "unknown field `x`, expected one of `a`, `b`": the known word nearest to `x`.
fn misspelt(message: &str) -> Option<&str> {
    let rest =
        message.strip_prefix("unknown field `").or_else(|| message.strip_prefix("unknown variant `"))?;
    let (found, rest) = rest.split_once('`')?;
    rest.split('`')
        .skip(1)
        .step_by(2)
        .map(|known| (strsim::jaro_winkler(found, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
