use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::kept::is_site;
use crate::service::client::Remote;
use crate::{Error, Folder, Key, Place, Register, S3, Secret};

/// A node's settings of its witness, as TOML; README.md has examples.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Settings {
    /// The same on both nodes, and of no other site in the same place.
    pub site: String,
    pub kind: Kind,
}

/// As it is written: exactly one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    site: String,
    service: Option<Service>,
    s3: Option<Object>,
    folder: Option<Shared>,
}

impl TryFrom<Raw> for Settings {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let Raw { site, service, s3, folder } = raw;
        if !is_site(&site) {
            return Err(format!("`{site}` is no name of a site: up to 63 of a-z, 0-9 and `-`"));
        }
        let kind = match (service, s3, folder) {
            (Some(service), None, None) => Kind::Service(service),
            (None, Some(object), None) => Kind::S3(object),
            (None, None, Some(shared)) => Kind::Folder(shared),
            _ => return Err("exactly one of [service], [s3] and [folder] is wanted".to_owned()),
        };
        Ok(Settings { site, kind })
    }
}

/// Where the register is.
#[derive(Clone, Debug)]
pub enum Kind {
    Service(Service),
    S3(Object),
    Folder(Shared),
}

/// Our own service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// `host:port`
    pub address: String,
    /// The file with the site's key.
    pub key: PathBuf,
}

/// An object on an S3 store.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// `https://HOST` or `http://HOST:PORT`
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    pub object: String,
    /// Certificates to trust instead of the system's.
    pub trusted: Option<PathBuf>,
    /// A file with two lines, access key and secret key.
    pub secret: PathBuf,
}

/// A folder on NFS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    pub path: PathBuf,
}

impl Settings {
    /// From a file; the error names the file, the line and what is wrong.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))
    }

    /// What to ask. Nothing is asked yet; an error says which file of a key or secret cannot be used.
    pub fn open(&self) -> Result<Box<dyn Register>, String> {
        Ok(match &self.kind {
            Kind::Service(at) => Box::new(Remote::new(&at.address, &self.site, Key::read(&at.key)?)),
            Kind::S3(object) => Box::new(object.open(&self.site)?),
            Kind::Folder(shared) => Box::new(Folder::new(&shared.path, &self.site)),
        })
    }

    /// Makes the register of a new site. Only a person, or what makes a site, may: see [`crate::EMPTY`].
    pub fn create(&self, deadline: Duration) -> Result<(), String> {
        let created: Result<(), Error> = match &self.kind {
            Kind::Service(_) => {
                return Err(
                    "a service makes it itself: run `geminios-witness add-site` on its machine".to_owned()
                );
            }
            Kind::S3(object) => object.open(&self.site)?.create(deadline),
            Kind::Folder(shared) => Folder::new(&shared.path, &self.site).create(),
        };
        created.map_err(|error| error.to_string())
    }
}

impl Object {
    fn open(&self, site: &str) -> Result<S3, String> {
        let known = ["http://", "https://"].iter().find_map(|scheme| self.endpoint.strip_prefix(scheme));
        if known.is_none_or(|host| host.is_empty() || host.contains('/')) {
            return Err(format!(
                "endpoint `{}`: it is https://HOST or http://HOST:PORT, without a path",
                self.endpoint
            ));
        }
        let shown = self.secret.display();
        let text = std::fs::read_to_string(&self.secret).map_err(|error| format!("{shown}: {error}"))?;
        let mut lines = text.lines().map(str::trim);
        let (Some(access_key), Some(secret_key), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(format!("{shown}: two lines are wanted, access key and secret key"));
        };
        let secret = Secret { access_key: access_key.to_owned(), secret_key: secret_key.to_owned() };
        let place = Place {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            object: self.object.clone(),
            trusted: self.trusted.clone(),
        };
        Ok(S3::new(place, secret, site))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_say_one_place() {
        for (text, good) in [
            ("site = 'hut'\n[folder]\npath = '/mnt'", true),
            ("site = 'hut'\n[service]\naddress = 'w:7401'\nkey = '/k'", true),
            (
                "site = 'hut'\n[s3]\nendpoint='https://s'\nregion='r'\nbucket='b'\nobject='o'\nsecret='/s'",
                true,
            ),
            ("site = 'hut'\n[service]\naddress = 'w:7401'", false),
            ("site = 'hut'\n[folder]\npath = '/mnt'\nextra = 1", false),
            ("site = 'hut'\n[folder]\npath = '/mnt'\n[service]\naddress = 'w:7401'\nkey = '/k'", false),
            ("site = 'hut'\n[floppy]\npath = '/mnt'", false),
            ("site = 'Hut'\n[folder]\npath = '/mnt'", false),
            ("site = 'hut'", false),
            ("[folder]\npath = '/mnt'", false),
        ] {
            let parsed = toml::from_str::<Settings>(text);
            assert_eq!(parsed.is_ok(), good, "{text}\n{parsed:?}");
        }
    }
}
