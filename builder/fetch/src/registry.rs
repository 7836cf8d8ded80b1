//! How a registry of container images is asked (OCI distribution specification 1.1).

use std::sync::PoisonError;

use geminios_model::{BlobKind, Digest, ImageName};
use ureq::Body;
use ureq::http::{Response, header};

use crate::error::{Fault, FetchError};
use crate::fetcher::Fetcher;
use crate::http;
use crate::mirrors::without_password;
use crate::patience::Patience;
use crate::percent;
use crate::want::{Origin, path_of};

/// Manifests that are taken. Registries translate into what is asked for, and another translation has another digest.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
/// Registries take manifests of at least 4 MiB ("Pushing Manifests"), and hardly more.
const LARGEST_MANIFEST: u64 = 4 << 20;
/// Tokens have some kilobytes.
const LARGEST_TOKEN: u64 = 1 << 20;

/// One repository at one address: what is asked of it carries a token, once it wants one.
pub(crate) struct Pull<'a> {
    fetcher: &'a Fetcher,
    /// Its address, which ends with the repository's name.
    repository: String,
    manifest: bool,
}

impl Fetcher {
    /// An index or a manifest by its digest, from the store or a registry. Its size is not known beforehand.
    ///
    /// # Errors
    /// Neither the registry nor a mirror gives it; the store cannot be used.
    pub fn manifest(&self, image: &ImageName, digest: &Digest) -> Result<Vec<u8>, FetchError> {
        if let Some(blob) = self.store().get(digest)? {
            return Ok(std::fs::read(&blob.path).map_err(crate::store::at(&blob.path))?);
        }
        let origin = Origin::Registry(image.registry().to_owned());
        let path = path_of(image, BlobKind::Manifest, digest);
        let checked = |bytes: &[u8]| match Digest::of(bytes) {
            found if found == *digest => Ok(()),
            found => Err(Fault::WrongBytes { expected: *digest, found }),
        };
        let bytes = self.document(&origin, &path, LARGEST_MANIFEST, &checked)?;
        self.store().put_bytes(&bytes)?;
        Ok(bytes)
    }

    pub(crate) fn pull<'a>(&'a self, mirror: &str, path: &str) -> Pull<'a> {
        let (name, manifest) = match path.rsplit_once("/manifests/") {
            Some((name, _)) => (name, true),
            None => (path.rsplit_once("/blobs/").map_or(path, |(name, _)| name), false),
        };
        Pull { fetcher: self, repository: format!("{mirror}/{name}"), manifest }
    }
}

impl Pull<'_> {
    /// What a request to the repository carries besides.
    pub fn headers(&self) -> Vec<(header::HeaderName, String)> {
        let tokens = self.fetcher.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let token =
            tokens.get(&self.repository).map(|token| (header::AUTHORIZATION, format!("Bearer {token}")));
        let accept = self.manifest.then(|| (header::ACCEPT, MANIFESTS.to_owned()));
        token.into_iter().chain(accept).collect()
    }

    /// Takes a token for anonymous pulls where an answer asks for one (distribution project, "Token Authentication
    /// Specification"). False if it does not ask, or in another way.
    pub fn log_in(&self, answer: &Response<Body>, patience: &Patience) -> Result<bool, Fault> {
        let asked = answer.headers().get_all(header::WWW_AUTHENTICATE);
        let Some(challenge) = asked.iter().filter_map(|v| v.to_str().ok()).find_map(challenge) else {
            return Ok(false);
        };
        let Challenge { realm, parameters } = challenge;
        let plain = realm.starts_with("http://") && !self.repository.starts_with("http://");
        if plain || !realm.starts_with("http") {
            return Err(Fault::Refused(format!("it wants a token from {realm}, which is not https")));
        }
        let join = if realm.contains('?') { '&' } else { '?' };
        let query: Vec<String> =
            parameters.iter().map(|(key, value)| format!("{key}={}", percent::encoded(value))).collect();
        let address = format!("{realm}{join}{}", query.join("&"));
        let bytes = http::small(self.fetcher.agent(&address), &address, LARGEST_TOKEN, patience, None);
        let server = without_password(&realm);
        let bytes = bytes.map_err(|fault| match fault {
            Fault::Status(status @ 400..=499) => Fault::Token { server, status },
            Fault::NotThere => Fault::Token { server, status: 404 },
            fault => fault,
        })?;
        let answer: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|key| answer.get(key)?.as_str());
        let token =
            token.ok_or_else(|| Fault::Refused(format!("its token server {realm} gives no token")))?;
        let mut tokens = self.fetcher.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(self.repository.clone(), token.to_owned());
        Ok(true)
    }
}

struct Challenge {
    realm: String,
    parameters: Vec<(String, String)>,
}

/// `Bearer realm="https://…",service="…",scope="repository:team/app:pull"` (RFC 6750, section 3).
fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, mut rest) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut parameters = Vec::new();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        parameters.push((key.trim_matches([' ', ',']).to_ascii_lowercase(), value.to_owned()));
        rest = after;
    }
    let realm = parameters.iter().position(|(key, _)| key == "realm")?;
    let (_, realm) = parameters.remove(realm);
    parameters.retain(|(key, _)| key == "service" || key == "scope");
    Some(Challenge { realm, parameters })
}
