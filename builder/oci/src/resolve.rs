use std::collections::BTreeSet;

use geminios_model::{Arch, BlobKind, Digest, ImageName, LockedBlob, LockedImage};

use crate::document::{Config, Top, choose, read};
use crate::error::ImageError;

/// The largest configuration that is read, in bytes. Those of real images have some kilobytes.
const LARGEST: u64 = 8 << 20;

/// A small blob that is needed to know an image's others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// Of the first one it is not known whether it is an index; it is asked for as a manifest.
    pub kind: BlobKind,
    pub digest: Digest,
    /// Bytes; none for the first one.
    pub size: Option<u64>,
}

/// Finds out which blobs an image is. `get` gives documents whose bytes have the digest that was asked for.
///
/// # Errors
/// Those of `get`; an image that is not for this architecture; documents that are not those of an image.
pub fn resolve<E: From<ImageError>>(
    reference: &ImageName,
    digest: Digest,
    architecture: Arch,
    get: &mut dyn FnMut(&Document) -> Result<Vec<u8>, E>,
) -> Result<LockedImage, E> {
    let mut blobs = Vec::new();
    let first = get(&Document { kind: BlobKind::Manifest, digest, size: None })?;
    let size = first.len() as u64;
    let manifest = match Top::read(BlobKind::Manifest, digest, &first)? {
        Top::Manifest(manifest) => {
            blobs.push(LockedBlob { kind: BlobKind::Manifest, sha256: digest, size });
            manifest
        }
        Top::Index(manifests) => {
            blobs.push(LockedBlob { kind: BlobKind::Index, sha256: digest, size });
            let chosen = choose(&manifests, architecture)?;
            let (kind, digest, size) = (BlobKind::Manifest, chosen.digest, chosen.size);
            let bytes = document(kind, digest, size, get)?;
            blobs.push(LockedBlob { kind, sha256: digest, size });
            match Top::read(kind, digest, &bytes)? {
                Top::Manifest(manifest) => manifest,
                Top::Index(_) => {
                    let why = "an index stands where a manifest was promised".to_owned();
                    return Err(ImageError::Malformed { kind, digest, why }.into());
                }
            }
        }
    };
    let (kind, digest, size) = (BlobKind::Config, manifest.config.digest, manifest.config.size);
    let config: Config = read(kind, digest, &document(kind, digest, size, get)?)?;
    if !config.platform.runs_on(architecture) {
        let found = config.platform.to_string();
        return Err(ImageError::OtherPlatform { arch: architecture, found }.into());
    }
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        let why = format!(
            "it speaks of {} layers, and the manifest has {}",
            config.rootfs.diff_ids.len(),
            manifest.layers.len()
        );
        return Err(ImageError::Malformed { kind, digest, why }.into());
    }
    blobs.push(LockedBlob { kind, sha256: digest, size });
    let mut seen = BTreeSet::new();
    let layers = manifest.layers.iter().filter(|layer| seen.insert(layer.digest));
    blobs.extend(layers.map(|l| LockedBlob { kind: BlobKind::Layer, sha256: l.digest, size: l.size }));
    let digest = blobs[0].sha256;
    Ok(LockedImage { reference: reference.clone(), digest, architecture, blobs })
}

fn document<E: From<ImageError>>(
    kind: BlobKind,
    digest: Digest,
    size: u64,
    get: &mut dyn FnMut(&Document) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, E> {
    if size > LARGEST {
        let why = format!("it has {size} bytes, and none has more than {LARGEST}");
        return Err(ImageError::Malformed { kind, digest, why }.into());
    }
    get(&Document { kind, digest, size: Some(size) })
}
