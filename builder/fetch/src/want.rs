use std::fmt;

use geminios_model::{BlobKind, Digest, ImageName, LockedPackage};

/// Where a file comes from, by the name that a description has for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// An archive of Debian packages.
    Archive(String),
    /// A registry of container images, by its host.
    Registry(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Archive(name) => write!(f, "archive `{name}`"),
            Origin::Registry(host) => write!(f, "registry {host}"),
        }
    }
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    pub origin: Origin,
    /// Path below the origin's mirror.
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub digest: Digest,
    /// Name of the package, for the remedy when it is gone.
    pub package: String,
}

impl From<&LockedPackage> for Want {
    fn from(package: &LockedPackage) -> Self {
        Want {
            origin: Origin::Archive(package.archive.clone()),
            path: package.filename.clone(),
            size: package.size,
            digest: package.sha256,
            package: package.name.clone(),
        }
    }
}

impl Want {
    /// A blob of a container image.
    pub fn of_image(image: &ImageName, kind: BlobKind, digest: Digest, size: u64) -> Self {
        let origin = Origin::Registry(image.registry().to_owned());
        Want { origin, path: path_of(image, kind, &digest), size, digest, package: image.to_string() }
    }
}

/// OCI distribution specification 1.1, "Pulling manifests" and "Pulling blobs".
pub(crate) fn path_of(image: &ImageName, kind: BlobKind, digest: &Digest) -> String {
    let folder = if kind.is_manifest() { "manifests" } else { "blobs" };
    format!("{}/{folder}/sha256:{digest}", image.repository())
}
