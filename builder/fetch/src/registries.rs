use std::collections::BTreeMap;

use crate::mirrors::{MirrorError, address_of};

/// Where registries of container images are, and their mirrors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registries {
    /// The command line's, then the environment's. For each registry the first that has mirrors counts.
    origins: Vec<Origin>,
}

/// Mirrors that one place names, as addresses below which images are, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Origin {
    by_registry: BTreeMap<String, Vec<String>>,
    /// Of every registry.
    general: Vec<String>,
}

impl Registries {
    /// Mirrors from `--registry-mirror` and from GEMINIOS_REGISTRY_MIRROR.
    ///
    /// Each word is `URL` for all registries or `REGISTRY=URL` for one; `http://` is the user's word that it may be
    /// plain. A path in the URL stands before the names of images, as caches for several registries want it.
    ///
    /// # Errors
    /// A word that is neither.
    pub fn discover(arguments: &[String], environment: Option<&str>) -> Result<Self, MirrorError> {
        let environment = environment.unwrap_or_default().split_whitespace();
        Ok(Registries {
            origins: vec![
                Origin::of_words(arguments.iter().map(String::as_str), "--registry-mirror")?,
                Origin::of_words(environment, "GEMINIOS_REGISTRY_MIRROR")?,
            ],
        })
    }

    /// The addresses at which a registry's images are asked for: its mirrors, then the registry itself.
    pub fn of(&self, registry: &str) -> Vec<String> {
        let lists = self.origins.iter().map(|origin| origin.of(registry));
        let mut list = lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default();
        let own = own_address(registry);
        if !list.contains(&own) {
            list.push(own);
        }
        list
    }
}

impl Origin {
    fn of_words<'a>(words: impl Iterator<Item = &'a str>, place: &'static str) -> Result<Self, MirrorError> {
        let mut origin = Origin::default();
        for word in words {
            origin.add(word).ok_or_else(|| MirrorError::Registry { word: word.to_owned(), place })?;
        }
        Ok(origin)
    }

    fn add(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            Some((registry, address)) if !registry.is_empty() && !registry.contains('/') => {
                self.by_registry.entry(registry.to_owned()).or_default().push(api_address(address)?);
            }
            _ => self.general.push(api_address(word)?),
        }
        Some(())
    }

    fn of(&self, registry: &str) -> Vec<String> {
        let own = self.by_registry.get(registry).into_iter().flatten();
        own.chain(&self.general).cloned().collect()
    }
}

/// `https://cache.example/hub` as `https://cache.example/v2/hub`.
fn api_address(address: &str) -> Option<String> {
    let address = address_of(address)?;
    let (scheme, rest) = address.split_once("://").filter(|(scheme, _)| scheme.starts_with("http"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = if path == "v2" { "" } else { path.strip_prefix("v2/").unwrap_or(path) };
    Some(format!("{scheme}://{host}/v2/{path}").trim_end_matches('/').to_owned())
}

/// A registry on this machine speaks plain HTTP, as docker and containerd take it to.
fn own_address(registry: &str) -> String {
    let name = registry.split(':').next().unwrap_or_default();
    let local = name == "localhost" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    // The one registry whose images are named after another host than the one that has them.
    let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
    format!("{}://{host}/v2", if local { "http" } else { "https" })
}
