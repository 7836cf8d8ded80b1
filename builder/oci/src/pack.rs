use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use geminios_fetch::{Blob, Steps};
use geminios_model::{Digest, ImageName, LockedImage};
use serde_json::{Value, json};

use crate::document::{INDEX, media_type};
use crate::error::{ImageError, at};

/// Name of this step in the cache.
const STEP: &str = "image";
/// Changes when the same image would give another archive.
const VERSION: &[u8] = b"1";
/// Name of an archive in its step's folder.
const FILE: &str = "image.tar";

/// An OCI archive for the device, in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub name: ImageName,
    /// What it is known by in registries: digest of its index or manifest.
    pub digest: Digest,
    pub path: PathBuf,
    /// Bytes of the archive.
    pub size: u64,
    /// Digest of the archive.
    pub sha256: Digest,
}

/// The archive of a locked image, if it was packed before.
///
/// # Errors
/// It cannot be read.
pub fn packed(image: &LockedImage, steps: &Steps) -> Result<Option<Packed>, ImageError> {
    let folder = steps.get(STEP, &key(image));
    folder.map(|folder| Packed::read(image.reference.clone(), image.digest, folder)).transpose()
}

/// Packs the blobs of a locked image, given in its order.
///
/// It is known by its tag and by its digest, so that pods may name it either way. With an index, what the index has for
/// other architectures is not there; containerd asks for its own only.
///
/// # Errors
/// A blob or the cache cannot be read or written.
pub fn pack(image: &LockedImage, blobs: &[Blob], steps: &Steps) -> Result<Packed, ImageError> {
    let folder = steps.put(STEP, &key(image), |dir| {
        let first = &image.blobs[0];
        let bytes = fs::read(&blobs[0].path).map_err(at(&blobs[0].path))?;
        let target = |annotations: Value| {
            Ok::<_, ImageError>(json!({
                "mediaType": media_type(first.kind, first.sha256, &bytes)?,
                "digest": format!("sha256:{}", first.sha256),
                "size": first.size,
                "annotations": annotations,
            }))
        };
        let by_digest = image.reference.by_digest(&image.digest);
        let entries =
            [target(names(&image.reference))?, target(json!({ "io.containerd.image.name": by_digest }))?];
        let mut members = Vec::new();
        for blob in blobs {
            let file = blob.open().map_err(at(&blob.path))?;
            members.push((blob.digest, blob.size, Box::new(file) as Box<dyn Read>));
        }
        write(&dir.join(FILE), &entries, members)
    })?;
    Packed::read(image.reference.clone(), image.digest, folder)
}

/// Packs blobs in memory, of which the first is a manifest.
pub(crate) fn pack_new(
    name: &ImageName,
    key: &Digest,
    steps: &Steps,
    make: impl FnOnce() -> Result<Vec<Vec<u8>>, ImageError>,
) -> Result<Packed, ImageError> {
    let folder = steps.put(STEP, key, |dir| {
        let blobs = make()?;
        let manifest = &blobs[0];
        let entry = json!({
            "mediaType": crate::document::MANIFEST,
            "digest": format!("sha256:{}", Digest::of(manifest)),
            "size": manifest.len(),
            "annotations": names(name),
        });
        let digest = dir.join("digest");
        fs::write(&digest, Digest::of(manifest).to_string()).map_err(at(&digest))?;
        let members =
            blobs.iter().map(|b| (Digest::of(b), b.len() as u64, Box::new(b.as_slice()) as Box<dyn Read>));
        write(&dir.join(FILE), &[entry], members.collect())
    })?;
    let path = folder.join("digest");
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let damaged = |_| at(&path)(std::io::Error::new(std::io::ErrorKind::InvalidData, "it holds no digest"));
    Packed::read(name.clone(), text.parse().map_err(damaged)?, folder)
}

impl Packed {
    fn read(name: ImageName, digest: Digest, folder: PathBuf) -> Result<Self, ImageError> {
        let path = folder.join(FILE);
        let (sha256, size) = File::open(&path).and_then(Digest::of_reader).map_err(at(&path))?;
        Ok(Packed { name, digest, path, size, sha256 })
    }
}

fn key(image: &LockedImage) -> Digest {
    Digest::of_parts([VERSION, image.to_text().as_bytes()])
}

/// What containerd and others call an image by.
fn names(name: &ImageName) -> Value {
    json!({ "io.containerd.image.name": name.as_str(), "org.opencontainers.image.ref.name": name.tag() })
}

/// Writes an OCI image layout as a tar; the blobs by digest, none twice.
fn write(
    path: &Path,
    entries: &[Value],
    mut blobs: Vec<(Digest, u64, Box<dyn Read + '_>)>,
) -> Result<(), ImageError> {
    blobs.sort_by_key(|(digest, ..)| *digest);
    blobs.dedup_by_key(|(digest, ..)| *digest);
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string();
    let layout = json!({ "imageLayoutVersion": "1.0.0" }).to_string();
    let mut tar = tar::Builder::new(File::create(path).map_err(at(path))?);
    for (name, text) in [("oci-layout", layout), ("index.json", index)] {
        append(&mut tar, name, 0o644, text.len() as u64, text.as_bytes()).map_err(at(path))?;
    }
    for (digest, size, bytes) in blobs {
        append(&mut tar, &format!("blobs/sha256/{digest}"), 0o644, size, bytes).map_err(at(path))?;
    }
    tar.into_inner().map(drop).map_err(at(path))
}

/// A file of root's that is as old as time.
pub(crate) fn append(
    tar: &mut tar::Builder<impl std::io::Write>,
    name: &str,
    mode: u32,
    size: u64,
    bytes: impl Read,
) -> std::io::Result<()> {
    let mut header = header(tar::EntryType::Regular, mode);
    header.set_size(size);
    tar.append_data(&mut header, name, bytes)
}

pub(crate) fn header(kind: tar::EntryType, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}
