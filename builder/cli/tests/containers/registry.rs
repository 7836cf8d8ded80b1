//! Images of nobody, as archives and in a registry on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use geminios_model::Digest;
use serde_json::{Value, json};

/// An image with an index, for amd64.
pub struct Image {
    pub index: Digest,
    pub layer: Digest,
    blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Image {
    pub fn new(name: &str) -> Image {
        let mut blobs = BTreeMap::new();
        let mut put = |kind: &str, bytes: Vec<u8>| {
            let (digest, size) = (Digest::of(&bytes), bytes.len());
            blobs.insert(digest, bytes);
            let media_type = format!("application/vnd.oci.image.{kind}");
            (digest, json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size }))
        };
        let (layer, descriptor) =
            put("layer.v1.tar", tar(&[("hello".into(), name.as_bytes().to_vec())].into()));
        let rootfs = json!({ "type": "layers", "diff_ids": [format!("sha256:{layer}")] });
        let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": rootfs });
        let (_, config) = put("config.v1+json", config.to_string().into_bytes());
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": [descriptor] });
        let (_, mut manifest) = put("manifest.v1+json", manifest.to_string().into_bytes());
        manifest["platform"] = json!({ "architecture": "amd64", "os": "linux" });
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        let (index, _) = put("index.v1+json", index.to_string().into_bytes());
        Image { index, layer, blobs }
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entry = json!({
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "digest": format!("sha256:{}", self.index),
            "size": self.blobs[&self.index].len(),
        });
        let index: Value = json!({ "schemaVersion": 2, "manifests": [entry] });
        let mut files: BTreeMap<String, Vec<u8>> = self
            .blobs
            .iter()
            .map(|(digest, bytes)| (format!("blobs/sha256/{digest}"), bytes.clone()))
            .collect();
        files.insert("oci-layout".into(), b"{\"imageLayoutVersion\":\"1.0.0\"}".to_vec());
        files.insert("index.json".into(), index.to_string().into_bytes());
        files
    }

    pub fn archive(&self) -> Vec<u8> {
        tar(&self.files())
    }

    /// The archive with one bit of the layer flipped.
    pub fn spoilt(&self) -> Vec<u8> {
        let mut files = self.files();
        files.get_mut(&format!("blobs/sha256/{}", self.layer)).unwrap()[700] ^= 1;
        tar(&files)
    }

    pub fn docker_save(&self) -> Vec<u8> {
        tar(&[("manifest.json".to_owned(), b"[]".to_vec())].into())
    }
}

fn tar(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

/// The files of a tar.
pub fn untar(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut tar = tar::Archive::new(bytes);
    let files = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
    });
    files.collect()
}

/// A registry that has the blobs of one image, in every repository.
pub struct Registry {
    pub address: SocketAddr,
    blobs: Arc<Mutex<BTreeMap<Digest, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    pub fn of(image: &Image) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let blobs = Arc::new(Mutex::new(image.blobs.clone()));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (here, seen) = (blobs.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let Some(first) = lines.next() else { continue };
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
                let digest = path.rsplit_once("sha256:").and_then(|(_, hex)| hex.parse().ok());
                let found = digest.and_then(|digest: Digest| here.lock().unwrap().get(&digest).cloned());
                let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
                let body = found.unwrap_or_default();
                seen.lock().unwrap().push(path);
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                drop(stream.write_all(&[head.as_bytes(), &body].concat()));
            }
        });
        Registry { address, blobs, asked }
    }

    /// The paths that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub fn lose(&self, digest: &Digest) {
        self.blobs.lock().unwrap().remove(digest);
    }
}
