//! Small images, and archives of them, to spoil.

use std::collections::BTreeMap;
use std::path::PathBuf;

use geminios_fetch::{Steps, Store};
use geminios_model::{Arch, Digest, ImageName, LockedImage};
use geminios_oci::{Archive, ImageError, resolve};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const OCI: &str = "application/vnd.oci.image";

/// A cache and a folder of one's own.
pub struct World {
    pub dir: TempDir,
    pub store: Store,
    pub steps: Steps,
}

impl World {
    pub fn new() -> World {
        let dir = TempDir::new().unwrap();
        World { store: Store::open(dir.path()).unwrap(), steps: Steps::open(dir.path()).unwrap(), dir }
    }

    /// Writes an archive of these files.
    pub fn archive(&self, files: &BTreeMap<String, Vec<u8>>) -> PathBuf {
        let path = self.dir.path().join("app.tar");
        std::fs::write(&path, tar(files)).unwrap();
        path
    }

    /// What a profile's image is, out of an archive.
    pub fn resolve(&self, made: &Made, digest: Digest, arch: Arch) -> Result<LockedImage, ImageError> {
        let archive = Archive::open(&self.archive(&made.files))?;
        resolve(&name(), digest, arch, &mut |document| archive.document(document))
    }
}

pub fn name() -> ImageName {
    "registry.example/team/app:1.2".parse().unwrap()
}

/// An image layout for amd64 and arm64, with what must be known to ask for it.
#[derive(Clone)]
pub struct Made {
    pub files: BTreeMap<String, Vec<u8>>,
    pub index: Digest,
    /// Of amd64.
    pub manifest: Digest,
    pub config: Digest,
    pub layer: Digest,
}

impl Made {
    pub fn new() -> Made {
        Made::with(&|_| {})
    }

    /// Changes each manifest before its digest is taken.
    pub fn with(change: &dyn Fn(&mut Value)) -> Made {
        let mut made = Made {
            files: BTreeMap::new(),
            index: Digest::of(""),
            manifest: Digest::of(""),
            config: Digest::of(""),
            layer: Digest::of(""),
        };
        let mut list = Vec::new();
        for arch in ["arm64", "amd64"] {
            let layers = ["base", arch].map(|text| text.repeat(1000).into_bytes());
            let diff_ids: Vec<String> = layers.iter().map(|l| format!("sha256:{}", Digest::of(l))).collect();
            let config = json!({ "architecture": arch, "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids } });
            let config_type = format!("{OCI}.config.v1+json");
            let config = made.put(&config_type, config.to_string().as_bytes());
            let layers = layers.map(|l| made.put(&format!("{OCI}.layer.v1.tar+gzip"), &l));
            made.layer = digest(&layers[1]);
            made.config = digest(&config);
            let mut manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
            change(&mut manifest);
            let mut entry = made.put(&format!("{OCI}.manifest.v1+json"), manifest.to_string().as_bytes());
            made.manifest = digest(&entry);
            entry["platform"] = json!({ "architecture": arch, "os": "linux" });
            list.push(entry);
        }
        let attestation = json!({ "architecture": "unknown", "os": "unknown" });
        list.push(
            json!({ "mediaType": "x", "digest": list[0]["digest"], "size": 1, "platform": attestation }),
        );
        let index =
            json!({ "schemaVersion": 2, "mediaType": format!("{OCI}.index.v1+json"), "manifests": list });
        let mut entry = made.put(&format!("{OCI}.index.v1+json"), index.to_string().as_bytes());
        made.index = digest(&entry);
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "1.2" });
        let index = json!({ "schemaVersion": 2, "manifests": [entry] });
        made.files.insert("index.json".into(), index.to_string().into_bytes());
        made.files.insert("oci-layout".into(), b"{\"imageLayoutVersion\": \"1.0.0\"}".to_vec());
        made
    }

    fn put(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.files.insert(blob(&digest), bytes.to_vec());
        json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len() })
    }
}

pub fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{digest}")
}

fn digest(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap().parse().unwrap()
}

pub fn tar(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, format!("./{name}"), bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// The files of a tar.
pub fn untar(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut tar = tar::Archive::new(bytes);
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    });
    entries.collect()
}
