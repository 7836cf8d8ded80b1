//! Overlay kube-vip with an image that stands for its own: what the overlay's pods name is what the profile pins.

use std::fs;

use crate::project::{cold_cache, copy, done, edit, folder, geminios};
use crate::registry::{Image, Registry};
use crate::{LOCK, PROFILE};

/// The image that the overlay's manifest names, which is never pulled.
fn named() -> String {
    let manifest = "overlays/kube-vip/rootfs/usr/share/kubernetes/manifests/kube-vip.yaml";
    let text = fs::read_to_string(folder().join(manifest)).unwrap();
    assert!(text.contains("imagePullPolicy: Never"), "{text}");
    let images: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
    let [image] = images.as_slice() else { panic!("{images:?}") };
    (*image).to_owned()
}

/// What docs/loadbalancer.md has a user write into the profile, with the stand-in's digest.
fn wish(image: &Image, more: &str) -> String {
    let page = fs::read_to_string(folder().join("docs/loadbalancer.md")).unwrap();
    let line = format!("reference = \"{}\"", named());
    assert!(page.contains(&line), "docs/loadbalancer.md names another image than the overlay: {line}");
    format!("[[image]]\n{line}\ndigest = \"sha256:{}\"\n{more}\n[sizes]", image.index)
}

#[test]
fn its_image_is_locked_by_digest_from_a_mirror_or_an_archive() {
    let (image, name) = (Image::new("kube-vip"), named());
    for from_archive in [false, true] {
        let dir = copy();
        edit(dir.path(), PROFILE, "overlays = [", "overlays = [\"kube-vip\", ");
        let archive = if from_archive { "archive = \"kube-vip.tar\"\n" } else { "" };
        edit(dir.path(), PROFILE, "[sizes]", &wish(&image, archive));
        fs::write(dir.path().join("profiles/kube-vip.tar"), image.archive()).unwrap();
        let registry = Registry::of(&image);
        let host = name.split('/').next().unwrap();
        let output = geminios(dir.path(), &["lock", "x86-edge"])
            .env("GEMINIOS_CACHE", cold_cache(dir.path()))
            .env("GEMINIOS_REGISTRY_MIRROR", format!("{host}=http://{}", registry.address))
            .env("no_proxy", format!("{},127.0.0.1", std::env::var("no_proxy").unwrap_or_default()))
            .output()
            .unwrap();
        done(&output);
        assert_eq!(registry.asked().is_empty(), from_archive, "{:?}", registry.asked());
        let lock = fs::read_to_string(dir.path().join(LOCK)).unwrap();
        assert!(lock.contains(&format!("\nImage: {name}\n")), "{lock}");
        assert!(lock.contains(&image.layer.to_string()) && lock.contains(&image.index.to_string()), "{lock}");
    }
}
