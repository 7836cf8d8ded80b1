//! The archives for the device: whole, with the names that pods use, and the same from everywhere.

use std::fs;

use geminios_fetch::Blob;
use geminios_model::{Arch, Digest, Located, OverlayImage, TreePath};
use geminios_oci::{Archive, Packed, Recipe, build, pack, packed, resolve};
use serde_json::Value;

use crate::made::{Made, World, name, untar};

/// A profile's image, from a foreign archive to one for the device.
pub fn foreign(world: &World) -> (Made, Packed) {
    let made = Made::new();
    let image = world.resolve(&made, made.index, Arch::Amd64).unwrap();
    let archive = Archive::open(&world.archive(&made.files)).unwrap();
    assert_eq!(packed(&image, &world.steps).unwrap(), None);
    let blobs: Vec<Blob> = image.blobs.iter().map(|b| archive.take(b, &world.store).unwrap()).collect();
    let done = pack(&image, &blobs, &world.steps).unwrap();
    assert_eq!(packed(&image, &world.steps).unwrap().as_ref(), Some(&done));
    (made, done)
}

/// An image of this tree.
pub fn own(world: &World, program: &str) -> Packed {
    let path = world.dir.path().join("program");
    fs::write(&path, program).unwrap();
    let image = OverlayImage {
        name: Located::nowhere("localhost/geminios/demo:1".parse().unwrap()),
        entrypoint: vec![Located::nowhere("/usr/bin/demo".into()), Located::nowhere("serve".into())],
        user: Located::nowhere("65532:65532".into()),
    };
    let at = TreePath::new("/usr/bin/demo").unwrap();
    let programs = vec![(&at, path, Digest::of(program))];
    build(&Recipe { image: &image, architecture: Arch::Arm64, programs }, &world.steps).unwrap()
}

/// Files of an archive, each blob held against its name.
fn files(packed: &Packed) -> std::collections::BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(&packed.path).unwrap();
    assert_eq!((Digest::of(&bytes), bytes.len() as u64), (packed.sha256, packed.size));
    let files = untar(&bytes);
    for (path, bytes) in &files {
        if let Some(digest) = path.strip_prefix("blobs/sha256/") {
            assert_eq!(digest, Digest::of(bytes).to_string());
        }
    }
    files
}

fn index(packed: &Packed) -> Value {
    serde_json::from_slice(&files(packed)["index.json"]).unwrap()
}

#[test]
fn a_foreign_image_keeps_its_blobs_and_gets_its_names() {
    let world = World::new();
    let (made, packed) = foreign(&world);
    let files = files(&packed);
    assert_eq!(files.len(), 2 + 5, "{:?}", files.keys());
    assert!(files.iter().filter(|(path, _)| path.starts_with("blobs/")).all(|(p, b)| made.files[p] == *b));
    let index = index(&packed);
    let [tag, digest] = index["manifests"].as_array().unwrap().as_slice() else { panic!("{index}") };
    assert_eq!(tag["annotations"]["io.containerd.image.name"], "registry.example/team/app:1.2");
    assert_eq!(tag["annotations"]["org.opencontainers.image.ref.name"], "1.2");
    let by_digest = format!("registry.example/team/app@sha256:{}", made.index);
    assert_eq!(digest["annotations"]["io.containerd.image.name"], by_digest);
    for entry in [tag, digest] {
        assert_eq!(entry["digest"], format!("sha256:{}", made.index));
        assert_eq!(entry["mediaType"], "application/vnd.oci.image.index.v1+json");
    }
    let again = Archive::open(&packed.path).unwrap();
    let image = resolve(&name(), made.index, Arch::Amd64, &mut |d| again.document(d)).unwrap();
    assert_eq!(image, world.resolve(&made, made.index, Arch::Amd64).unwrap());
}

#[test]
fn an_image_of_this_tree_is_an_image() {
    let world = World::new();
    let packed = own(&world, "program");
    let image = {
        let archive = Archive::open(&packed.path).unwrap();
        resolve(&packed.name, packed.digest, Arch::Arm64, &mut |d| archive.document(d)).unwrap()
    };
    let files = files(&packed);
    let of = |at: usize| &files[&format!("blobs/sha256/{}", image.blobs[at].sha256)];
    let config: Value = serde_json::from_slice(of(1)).unwrap();
    assert_eq!(config["architecture"], "arm64");
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/usr/bin/demo", "serve"]));
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", image.blobs[2].sha256));
    let mut layer = tar::Archive::new(of(2).as_slice());
    let lines = layer.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let h = entry.header();
        let ids = (h.uid().unwrap(), h.gid().unwrap(), h.mtime().unwrap());
        format!("{} {:o} {ids:?} {}", entry.path().unwrap().display(), h.mode().unwrap(), entry.size())
    });
    let lines: Vec<String> = lines.collect();
    assert_eq!(lines, ["usr/ 755 (0, 0, 0) 0", "usr/bin/ 755 (0, 0, 0) 0", "usr/bin/demo 755 (0, 0, 0) 7"]);
    let entries = index(&packed);
    assert_eq!(
        entries["manifests"][0]["annotations"]["io.containerd.image.name"],
        "localhost/geminios/demo:1"
    );
}

#[test]
fn the_same_image_is_the_same_bytes_from_any_cache() {
    let (here, there) = (World::new(), World::new());
    let state = |packed: Packed| (packed.digest, packed.sha256, packed.size);
    assert_eq!(state(foreign(&here).1), state(foreign(&there).1));
    let first = state(own(&here, "program"));
    assert_eq!(state(own(&there, "program")), first);
    assert_eq!(state(own(&here, "program")), first);
    assert_ne!(state(own(&here, "another")), first);
}
