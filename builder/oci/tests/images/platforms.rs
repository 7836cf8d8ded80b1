//! Which blobs an image is: by architecture, by media types, from an index or a manifest.

use geminios_model::{Arch, BlobKind};
use geminios_oci::ImageError;
use serde_json::json;

use crate::made::{Made, OCI, World};

#[test]
fn an_index_leads_to_the_manifest_of_the_architecture() {
    let (world, made) = (World::new(), Made::new());
    let image = world.resolve(&made, made.index, Arch::Amd64).unwrap();
    let kinds: Vec<BlobKind> = image.blobs.iter().map(|blob| blob.kind).collect();
    use BlobKind::{Config, Index, Layer, Manifest};
    assert_eq!(kinds, [Index, Manifest, Config, Layer, Layer]);
    let digests = [made.index, made.manifest, made.config];
    assert_eq!(image.blobs.iter().take(3).map(|blob| blob.sha256).collect::<Vec<_>>(), digests);
    let other = world.resolve(&made, made.index, Arch::Arm64).unwrap();
    assert_ne!(other.blobs[1], image.blobs[1]);
    assert_eq!(other.blobs[3], image.blobs[3], "the lowest layer is the same");
}

#[test]
fn a_manifest_is_an_image_too() {
    let (world, made) = (World::new(), Made::new());
    let image = world.resolve(&made, made.manifest, Arch::Amd64).unwrap();
    assert_eq!((image.digest, image.blobs[0].kind), (made.manifest, BlobKind::Manifest));
}

#[test]
fn images_for_other_machines() {
    let (world, made) = (World::new(), Made::new());
    let error = world.resolve(&made, made.index, Arch::Riscv64).unwrap_err();
    assert_eq!(error.to_string(), "the image has no manifest for riscv64, only for linux/arm64, linux/amd64");
    assert!(error.help().unwrap().contains("built for riscv64"));
    let error = world.resolve(&made, made.manifest, Arch::Arm64).unwrap_err();
    assert_eq!(error.to_string(), "the image is for linux/amd64, and the board for linux/arm64");
}

#[test]
fn media_types() {
    let layer = |media_type: &'static str| {
        Made::with(&move |manifest| manifest["layers"][1]["mediaType"] = media_type.into())
    };
    for good in [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ] {
        let made = layer(good);
        World::new().resolve(&made, made.index, Arch::Amd64).unwrap();
    }
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let made = layer(foreign);
    let error = World::new().resolve(&made, made.index, Arch::Amd64).unwrap_err();
    assert!(
        matches!(&error, ImageError::MediaType { what: "layer", media_type } if media_type == foreign),
        "{error}"
    );
    let helm = Made::with(&|m| m["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json".into());
    let error = World::new().resolve(&helm, helm.index, Arch::Amd64).unwrap_err();
    assert!(error.to_string().contains("a configuration of media type"), "{error}");
    let old = Made::with(&|manifest| *manifest = json!({ "schemaVersion": 1, "fsLayers": [] }));
    let error = World::new().resolve(&old, old.index, Arch::Amd64).unwrap_err();
    assert!(error.to_string().contains("neither an index nor a manifest"), "{error}");
    let wrong = Made::with(&|manifest| manifest["mediaType"] = format!("{OCI}.index.v1+json").into());
    let error = World::new().resolve(&wrong, wrong.index, Arch::Amd64).unwrap_err();
    assert!(error.to_string().contains("a manifest of media type"), "{error}");
}

#[test]
fn documents_that_do_not_fit_together() {
    let fewer = Made::with(&|manifest| drop(manifest["layers"].as_array_mut().unwrap().pop()));
    let error = World::new().resolve(&fewer, fewer.index, Arch::Amd64).unwrap_err();
    assert!(error.to_string().contains("speaks of 2 layers, and the manifest has 1"), "{error}");
    let huge = Made::with(&|manifest| manifest["config"]["size"] = (1_u64 << 60).into());
    let error = World::new().resolve(&huge, huge.index, Arch::Amd64).unwrap_err();
    assert!(error.to_string().contains("none has more than"), "{error}");
    let climbing = Made::with(&|manifest| manifest["config"]["digest"] = "sha256:../../etc/passwd".into());
    let error = World::new().resolve(&climbing, climbing.index, Arch::Amd64).unwrap_err();
    assert!(error.to_string().contains("is not a SHA-256 digest"), "{error}");
}
