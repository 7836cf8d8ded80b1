//! Two builds, their images as files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use geminios_disk::Layout;
use geminios_release::{Build, DataContract, Digest, Part};
use geminios_seal::Region;
use serde_json::Value;

/// Names of the images, in the order in which a device writes them.
pub const IMAGES: [&str; 3] = ["root", "verity", "uki"];
/// When both were built, as far as the repository is told. It must be before [`NOW`].
const BUILT: u64 = 1_795_700_000;
pub const NOW: u64 = 1_795_780_800;

pub struct Pair {
    pub old: Side,
    pub new: Side,
}

pub struct Side {
    /// root, hash tree, kernel.
    pub files: [PathBuf; 3],
    pub sizes: [u64; 3],
    pub build: Build,
    folder: PathBuf,
    manifest: Value,
}

impl Pair {
    pub fn read(old: &Path, new: &Path, scratch: &Path) -> Pair {
        // Whatever the builds call themselves: a delta is from an older version.
        Pair { old: Side::read(old, scratch, "1.0.0"), new: Side::read(new, scratch, "1.1.0") }
    }

    /// What the two are.
    pub fn told(&self) -> String {
        let (old, new) = (&self.old.manifest, &self.new.manifest);
        let size = |side: &Side| side.sizes.map(|size| format!("{:.1}", size as f64 / 1e6)).join(", ");
        let installed = |manifest: &Value| manifest["installed"].as_object().cloned().unwrap_or_default();
        let (before, after) = (installed(old), installed(new));
        let changed: Vec<String> = after
            .iter()
            .filter(|(name, bytes)| before.get(*name) != Some(bytes))
            .map(|(name, bytes)| {
                let more =
                    bytes.as_i64().unwrap_or(0) - before.get(name).and_then(Value::as_i64).unwrap_or(0);
                format!("{name} {more:+}")
            })
            .collect();
        format!(
            "{} {} -> {} {}. MB of root, hash tree, kernel: {} -> {}. Installed bytes that changed: {}.",
            text(old, "profile"),
            text(old, "version"),
            text(new, "profile"),
            text(new, "version"),
            size(&self.old),
            size(&self.new),
            if changed.is_empty() { "none".to_owned() } else { changed.join(", ") }
        )
    }
}

impl Side {
    fn read(folder: &Path, scratch: &Path, version: &str) -> Side {
        let bytes = fs::read(folder.join("manifest.json"));
        let bytes = bytes.unwrap_or_else(|error| panic!("{}/manifest.json: {error}", folder.display()));
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        let to = scratch.join(version);
        fs::create_dir(&to).unwrap();
        let file = |kind: &str| folder.join(manifest["files"][kind]["name"].as_str().unwrap());
        let layout = Layout::read(&file("image")).unwrap();
        let (root, verity) = (to.join("root.img"), to.join("verity.img"));
        for (path, partition, part) in [(&root, "root-a", "root"), (&verity, "root-a-verity", "root-verity")]
        {
            let start = layout.partition(partition).unwrap().start;
            let size = manifest["parts"][part]["size"].as_u64().unwrap();
            copy(&Region::part(&layout.path, start, size).unwrap(), path);
        }
        let uki = to.join("uki.img");
        fs::copy(file("uki"), &uki).unwrap();
        let files = [root, verity, uki];
        let build = build(&manifest, version, &files, &file("sbom"));
        let sizes = [&build.root, &build.verity, &build.uki].map(|part| part.size);
        Side { files, sizes, build, folder: folder.to_owned(), manifest }
    }

    pub fn profile(&self) -> (&str, &str) {
        (&self.build.profile, &self.build.board)
    }

    pub fn region(&self, image: usize) -> Region {
        Region::whole(&self.files[image]).unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()))
    }
}

fn copy(region: &Region, path: &Path) {
    let mut out = File::create(path).unwrap();
    let mut buffer = vec![0; 1 << 20];
    for at in (0..region.size()).step_by(buffer.len()) {
        let length = (region.size() - at).min(buffer.len() as u64) as usize;
        region.read_at(&mut buffer[..length], at).unwrap();
        io::Write::write_all(&mut out, &buffer[..length]).unwrap();
    }
}

fn text<'a>(manifest: &'a Value, key: &str) -> &'a str {
    manifest[key].as_str().unwrap_or("?")
}

fn build(manifest: &Value, version: &str, files: &[PathBuf; 3], sbom: &Path) -> Build {
    let part = |image: usize| Part::of_file(&files[image]).unwrap();
    let data = DataContract {
        postgresql: 0,
        postgresql_converts: Vec::new(),
        kine_schema: 0,
        kubernetes_minor: 0,
        from: None,
    };
    Build {
        version: version.parse().unwrap(),
        profile: text(manifest, "profile").to_owned(),
        board: text(manifest, "board").to_owned(),
        arch: "amd64".to_owned(),
        root_hash: Digest::parse(text(manifest, "root_hash")).unwrap(),
        built: BUILT,
        updater: 1,
        data,
        root: part(0),
        verity: part(1),
        uki: part(2),
        sbom: sbom.is_file().then(|| sbom.to_owned()),
        notes: None,
    }
}
