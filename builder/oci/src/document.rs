//! Indices, manifests and configurations (OCI image specification 1.1; Docker's schema 2 has the same fields).

use geminios_model::{Arch, BlobKind, Digest};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ImageError;

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

const INDICES: [&str; 2] = [INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"];
const MANIFESTS: [&str; 2] = [MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"];
const CONFIGS: [&str; 2] = [CONFIG, "application/vnd.docker.container.image.v1+json"];
const LAYERS: [&str; 6] = [
    LAYER,
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// An index or a manifest.
#[derive(Debug)]
pub(crate) enum Top {
    Index(Vec<Descriptor>),
    Manifest(Manifest),
}

#[derive(Debug)]
pub(crate) struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// Another blob, as a document names it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub media_type: String,
    #[serde(deserialize_with = "sha256")]
    pub digest: Digest,
    pub size: u64,
    pub platform: Option<Platform>,
    #[serde(default)]
    pub annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Platform {
    pub architecture: String,
    pub os: String,
    pub variant: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    #[serde(flatten)]
    pub platform: Platform,
    pub rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RootFs {
    pub diff_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTop {
    media_type: Option<String>,
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

impl Top {
    /// Reads an index or a manifest with all media types that it names.
    pub fn read(kind: BlobKind, digest: Digest, bytes: &[u8]) -> Result<Top, ImageError> {
        let RawTop { media_type, manifests, config, layers } = read(kind, digest, bytes)?;
        let is = |known: &[&str], what| match media_type.as_deref() {
            Some(found) if !known.contains(&found) => Err(unknown(what, found)),
            _ => Ok(()),
        };
        match (manifests, config, layers) {
            (Some(manifests), None, None) => {
                is(&INDICES, "index")?;
                Ok(Top::Index(manifests))
            }
            (None, Some(config), Some(layers)) => {
                is(&MANIFESTS, "manifest")?;
                known(&CONFIGS, "configuration", &config)?;
                layers.iter().try_for_each(|layer| known(&LAYERS, "layer", layer))?;
                Ok(Top::Manifest(Manifest { config, layers }))
            }
            _ => Err(ImageError::Malformed {
                kind,
                digest,
                why: "it is neither an index nor a manifest of an image".into(),
            }),
        }
    }
}

/// The media type of an index or manifest whose bytes were read before.
pub(crate) fn media_type(kind: BlobKind, digest: Digest, bytes: &[u8]) -> Result<String, ImageError> {
    let raw: RawTop = read(kind, digest, bytes)?;
    let own = if kind == BlobKind::Index { INDEX } else { MANIFEST };
    Ok(raw.media_type.unwrap_or_else(|| own.to_owned()))
}

/// Reads a document of JSON.
pub(crate) fn read<T: DeserializeOwned>(
    kind: BlobKind,
    digest: Digest,
    bytes: &[u8],
) -> Result<T, ImageError> {
    serde_json::from_slice(bytes).map_err(|error| ImageError::Malformed {
        kind,
        digest,
        why: error.to_string(),
    })
}

/// The manifest of an index for an architecture. One that does not say what it is for counts only if it is alone.
pub(crate) fn choose(manifests: &[Descriptor], arch: Arch) -> Result<&Descriptor, ImageError> {
    let fits = |d: &&Descriptor| d.platform.as_ref().is_some_and(|platform| platform.runs_on(arch));
    let alone = || manifests.first().filter(|d| manifests.len() == 1 && d.platform.is_none());
    let chosen = manifests.iter().find(fits).or_else(alone).ok_or_else(|| {
        let mut offered: Vec<String> =
            manifests.iter().filter_map(|d| d.platform.as_ref().map(Platform::to_string)).collect();
        // Attestations of a build are listed beside the images.
        offered.retain(|platform| !platform.starts_with("unknown/"));
        offered.dedup();
        ImageError::NoPlatform { arch, offered }
    })?;
    known(&MANIFESTS, "manifest", chosen)?;
    Ok(chosen)
}

impl Platform {
    /// Without the variants that ask for more than every machine of an architecture has (amd64/v3).
    pub fn runs_on(&self, arch: Arch) -> bool {
        let base = match self.variant.as_deref() {
            None | Some("") => true,
            Some("v1") => arch == Arch::Amd64,
            Some("v8") => arch == Arch::Arm64,
            Some(_) => false,
        };
        self.os == "linux" && self.architecture == arch.go() && base
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

fn known(list: &[&str], what: &'static str, descriptor: &Descriptor) -> Result<(), ImageError> {
    match list.contains(&descriptor.media_type.as_str()) {
        true => Ok(()),
        false => Err(unknown(what, &descriptor.media_type)),
    }
}

fn unknown(what: &'static str, media_type: &str) -> ImageError {
    ImageError::MediaType { what, media_type: media_type.escape_debug().to_string() }
}

fn sha256<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digest = text.strip_prefix("sha256:").and_then(|hex| hex.parse().ok());
    digest.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a SHA-256 digest")))
}
