use std::collections::BTreeMap;
use std::path::Path;

use crate::apt;

/// Where each archive is mirrored. No mirror is written down in the project: the user or the host names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirrors {
    /// The command line's, then the environment's, then the host's. For each archive the first that has one counts.
    origins: Vec<Origin>,
}

/// Mirrors that one place names. Addresses are without a `/` at the end, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Origin {
    by_archive: BTreeMap<String, Vec<String>>,
    /// Addresses of `debian`, which stand for the archives beside it, too.
    general: Vec<String>,
}

/// No usable mirror.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    #[error(
        "`{}` in {place} is not a mirror\n  help: write http://mirror.example/debian, or NAME=URL for the archive NAME alone (http, https or file)",
        without_password(word)
    )]
    Syntax { word: String, place: &'static str },
    #[error(
        "`{}` in {place} is not a mirror of registries\n  help: write http://mirror.example:5000, or REGISTRY=URL for the registry REGISTRY alone (http or https)",
        without_password(word)
    )]
    Registry { word: String, place: &'static str },
    #[error(
        "no mirror of the archive `{archive}` is known: neither --mirror nor GEMINIOS_MIRROR nor the apt configuration of this host names one\n  help: give --mirror URL, or set GEMINIOS_MIRROR, to your Debian mirror, such as http://mirror.example/debian"
    )]
    None { archive: String },
}

impl Mirrors {
    /// Mirrors from `--mirror`, from GEMINIOS_MIRROR, and from the apt configuration in `apt` (/etc/apt).
    ///
    /// Each word of the first two is `URL` or `NAME=URL`. A plain URL is a mirror of `debian`; for another archive
    /// its last name is replaced, since mirrors keep archives side by side: …/debian, …/debian-security.
    ///
    /// # Errors
    /// A word that is neither.
    pub fn discover(
        arguments: &[String],
        environment: Option<&str>,
        apt: &Path,
    ) -> Result<Self, MirrorError> {
        let mut host = Origin::default();
        for uri in apt::uris(apt) {
            host.add_by_last_name(&uri);
        }
        let origins = vec![
            Origin::of_words(arguments.iter().map(String::as_str), "--mirror")?,
            Origin::of_words(environment.unwrap_or_default().split_whitespace(), "GEMINIOS_MIRROR")?,
            host,
        ];
        Ok(Mirrors { origins })
    }

    /// The mirrors of an archive, in the order in which they are tried.
    ///
    /// # Errors
    /// There are none.
    pub fn of(&self, archive: &str) -> Result<Vec<String>, MirrorError> {
        let lists = self.origins.iter().map(|origin| origin.of(archive));
        let list = lists.into_iter().find(|list| !list.is_empty());
        list.ok_or_else(|| MirrorError::None { archive: archive.to_owned() })
    }
}

impl Origin {
    fn of_words<'a>(words: impl Iterator<Item = &'a str>, place: &'static str) -> Result<Self, MirrorError> {
        let mut origin = Origin::default();
        for word in words {
            origin.add(word).ok_or_else(|| MirrorError::Syntax { word: word.to_owned(), place })?;
        }
        Ok(origin)
    }

    fn add(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            Some((name, address)) if !name.is_empty() && !name.contains([':', '/']) => {
                let address = address_of(address)?;
                self.by_archive.entry(name.to_owned()).or_default().push(address);
            }
            _ => {
                let address = address_of(word)?;
                last_name(&address)?;
                self.general.push(address);
            }
        }
        Some(())
    }

    /// Takes apt's addresses for archives by their last name. Mirrors of other things than Debian, such as
    /// …/ubuntu, so stand under names that nobody asks for.
    fn add_by_last_name(&mut self, uri: &str) {
        let Some(address) = address_of(uri) else { return };
        let Some(name) = last_name(&address) else { return };
        let list = self.by_archive.entry(name.to_owned()).or_default();
        if !list.contains(&address) {
            list.push(address);
        }
    }

    fn of(&self, archive: &str) -> Vec<String> {
        let own = self.by_archive.get(archive).into_iter().flatten().cloned();
        let general = self.general.iter().map(|address| match last_name(address) {
            Some(last) if archive != "debian" => {
                format!("{}{archive}", &address[..address.len() - last.len()])
            }
            _ => address.clone(),
        });
        own.chain(general).collect()
    }
}

/// An address without a `/` at the end, if it is one.
pub(crate) fn address_of(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
    if text.contains(bad) {
        return None;
    }
    let rest = rest.trim_end_matches('/');
    let scheme = scheme.to_ascii_lowercase();
    let usable = match scheme.as_str() {
        "http" | "https" => {
            rest.strip_prefix("//").is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        }
        "file" => local_path(rest).is_some(),
        _ => false,
    };
    usable.then(|| format!("{scheme}:{rest}"))
}

/// The folder of a `file:` address, from what stands behind the colon (RFC 8089).
pub(crate) fn local_path(rest: &str) -> Option<&str> {
    let path = match rest.strip_prefix("//") {
        Some(path) => path.strip_prefix("localhost").unwrap_or(path),
        None => rest,
    };
    path.starts_with('/').then_some(path)
}

/// The last name of an address' path: `debian` of `http://mirror.example/debian`.
fn last_name(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once(':')?;
    let path = if scheme == "file" { local_path(rest)? } else { rest.strip_prefix("//")?.split_once('/')?.1 };
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

/// An address as it may stand in a message or a log.
pub(crate) fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => address.to_owned(),
    }
}
