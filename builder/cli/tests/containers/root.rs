//! The root file system of a disk image, and what is in the layers of its container images.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use erofs_rs::{EroFS, backend::MmapImage};
use geminios_disk::Layout;
use memmap2::MmapOptions;
use serde_json::Value;

use crate::registry::untar;

pub struct Root(EroFS<MmapImage>);

impl Root {
    pub fn open(image: &Path) -> Root {
        let layout = Layout::read(image).unwrap();
        let slot = layout.partition("root-a").unwrap();
        let length = usize::try_from(slot.size).unwrap();
        // SAFETY: nobody changes the image while the test looks at it.
        let map =
            unsafe { MmapOptions::new().offset(slot.start).len(length).map(&File::open(image).unwrap()) };
        Root(EroFS::new(MmapImage::new(map.unwrap())).unwrap())
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.open(path).unwrap_or_else(|error| panic!("{path}: {error}")).read_to_end(&mut bytes).unwrap();
        bytes
    }
}

/// Unpacks the files of an archive's only layer.
pub fn programs(archive: &[u8], to: &Path) {
    let files = untar(archive);
    let blob = |digest: &Value| &files[&digest.as_str().unwrap().replace("sha256:", "blobs/sha256/")];
    let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
    let manifest: Value = serde_json::from_slice(blob(&index["manifests"][0]["digest"])).unwrap();
    for (path, bytes) in untar(blob(&manifest["layers"][0]["digest"])) {
        let path = to.join(&path);
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
