//! Small builds with a real hash tree, and keys for a repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use geminios_model::Silent;
use geminios_release::encode::Levels;
use geminios_release::keys::{self, Keys};
use geminios_release::verify::{Report, verify};
use geminios_release::{Build, Lifetimes, Part, Published, ReleaseError, Repository, Request};
use geminios_seal::{Region, Verity};
use geminios_update_format::metadata::RoleName;
use geminios_update_format::release::DataContract;
use geminios_update_format::time::DAY;
use geminios_update_format::{Digest, UnixTime};
use semver::Version;

#[path = "../../../../overlays/updater/format/tests/shared/content.rs"]
mod content;
#[path = "../../../../overlays/updater/format/tests/shared/folders.rs"]
mod folders;

pub use content::content;
pub use folders::{scratch, tree};

/// 2026-11-27T12:00:00Z.
pub const NOW: UnixTime = 1_795_780_800;
pub const LEVELS: Levels = Levels { whole: 3, delta: 3, chunks: 3 };

/// As an update changes an image: something inserted, something removed, something changed, the length a multiple of 4096.
pub fn changed(old: &[u8]) -> Vec<u8> {
    let third = old.len() / 3;
    let mut new = content(77, 40_000);
    new.extend(&old[..third]);
    new.extend(&old[third + 50_000..]);
    let at = new.len() - 30_000;
    new[at..at + 5000].copy_from_slice(&content(78, 5000));
    new.truncate(new.len() / 4096 * 4096);
    new
}

pub struct Scene {
    pub dir: tempfile::TempDir,
    pub root: Vec<u8>,
}

impl Scene {
    /// Two keys a role, which both must sign.
    pub fn new() -> Self {
        Self::with_keys(2)
    }

    pub fn with_keys(count: usize) -> Self {
        let dir = scratch();
        let each = (count, count as u64);
        let roles = RoleName::ALL.into_iter().map(|role| (role, each)).collect::<BTreeMap<_, _>>();
        let root = keys::init(&dir.path().join("keys"), &roles, NOW - DAY, 3650 * DAY).unwrap();
        Scene { dir, root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    pub fn keys(&self) -> Keys {
        Keys::open(&self.path("keys")).unwrap()
    }

    pub fn repository(&self) -> Repository {
        Repository::create(&self.repo(), &self.root).unwrap()
    }

    pub fn build(&self, version: &str, root: &[u8]) -> Build {
        let dir = self.path(&format!("build-{version}"));
        fs::create_dir_all(&dir).unwrap();
        let file = |name: &str, bytes: &[u8]| {
            fs::write(dir.join(name), bytes).unwrap();
            dir.join(name)
        };
        // As in a disk image: the root is a stretch of a longer file.
        let image = file("disk.img", &[&[7; 4096], root, &[7; 100]].concat());
        let alone = file("root.erofs", root);
        let tree = Verity::write(&Region::whole(&alone).unwrap(), [3; 32], &dir.join("root.verity")).unwrap();
        let uki = file("uki.efi", &content(version.bytes().map(u64::from).sum(), 100_000));
        Build {
            version: Version::parse(version).unwrap(),
            profile: "edge".to_owned(),
            board: "pc".to_owned(),
            arch: "amd64".to_owned(),
            root_hash: Digest(*tree.root_hash.bytes()),
            built: NOW - DAY,
            updater: 1,
            data: DataContract {
                postgresql: 17,
                postgresql_converts: vec![],
                kine_schema: 1,
                kubernetes_minor: 34,
                from: None,
            },
            root: Part { path: image, offset: 4096, size: root.len() as u64, sha256: Digest::of(root) },
            verity: Part::of_file(&dir.join("root.verity")).unwrap(),
            uki: Part::of_file(&uki).unwrap(),
            sbom: Some(file("sbom.json", format!("{{\"of\": \"{version}\"}}").as_bytes())),
            notes: Some(file("notes.md", format!("Notes of {version}").as_bytes())),
        }
    }

    pub fn publish_to(
        &self,
        repository: &Repository,
        build: &Build,
        channel: &str,
    ) -> Result<Published, ReleaseError> {
        let keys = self.keys();
        let (levels, lifetimes) = (LEVELS, Lifetimes::default());
        repository.publish(
            &Request { build, channel, deltas: 2, levels, now: NOW, lifetimes, keys: &keys },
            &Silent,
        )
    }

    pub fn publish(&self, build: &Build) -> Published {
        self.publish_to(&self.repository(), build, "stable").unwrap()
    }

    pub fn verify(&self, path: &Path) -> Report {
        verify(path, Some(&self.root), NOW, &Silent)
    }
}

/// Two builds: the second is a change of the first.
pub fn two(scene: &Scene) -> [Build; 2] {
    let old = content(1, 1 << 20);
    [scene.build("1.0.0", &old), scene.build("1.1.0", &changed(&old))]
}

/// A repository with both.
pub fn published() -> Scene {
    let scene = Scene::new();
    for build in two(&scene) {
        scene.publish(&build);
    }
    scene
}
