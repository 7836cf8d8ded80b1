//! The software bill of materials: CycloneDX 1.5 as JSON, made from the lock and the container images of this tree.

use geminios_compose::BuiltImage;
use geminios_model::{Arch, Digest, Lock, Profile};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::wishes::IMAGE;

/// What a package URL leaves as it is (purl specification, "Character encoding").
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b':');

/// The bill of the device's packages and container images.
pub fn cyclonedx(profile: &Profile, lock: &Lock, arch: Arch, images: &[BuiltImage]) -> Value {
    let digest = lock.digest();
    let packages = lock.set(IMAGE).map(|package| {
        let purl = purl(&package.name, &package.version, &package.architecture);
        json!({
            "type": "library",
            "bom-ref": purl,
            "name": package.name,
            "version": package.version,
            "purl": purl,
            "hashes": [{ "alg": "SHA-256", "content": package.sha256 }],
            "properties": [
                { "name": "geminios:source", "value": format!("{} {}", package.source.0, package.source.1) },
                { "name": "geminios:archive", "value": package.archive },
                { "name": "geminios:why", "value": package.sets[IMAGE] },
            ],
        })
    });
    let components: Vec<Value> = packages.chain(images.iter().map(|image| container(image, arch))).collect();
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": format!("urn:uuid:{}", uuid(&digest)),
        "version": 1,
        "metadata": {
            "component": {
                "type": "operating-system",
                "name": profile.name.as_str(),
                "version": profile.version.as_str(),
                "description": profile.description,
            },
            "properties": [{ "name": "geminios:lock", "value": digest }],
        },
        "components": components,
    })
}

fn container(image: &BuiltImage, arch: Arch) -> Value {
    let (name, digest) = (&image.name, image.digest);
    let (repository, last) = (name.repository(), name.repository().rsplit('/').next().unwrap_or_default());
    // purl specification, type `oci`.
    let purl = format!(
        "pkg:oci/{last}@sha256%3A{digest}?arch={}&repository_url={}/{repository}&tag={}",
        arch.go(),
        name.registry(),
        name.tag()
    );
    let origin = image.overlay.as_ref().map_or("the profile".to_owned(), |name| format!("@{name}"));
    json!({
        "type": "container",
        "bom-ref": purl,
        "name": format!("{}/{repository}", name.registry()),
        "version": name.tag(),
        "purl": purl,
        "hashes": [{ "alg": "SHA-256", "content": digest }],
        "properties": [{ "name": "geminios:why", "value": origin }],
    })
}

fn purl(name: &str, version: &str, architecture: &str) -> String {
    let encode = |text| utf8_percent_encode(text, PLAIN).to_string();
    format!("pkg:deb/debian/{}@{}?arch={architecture}", encode(name), encode(version))
}

fn uuid(digest: &Digest) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.bytes()[..16]);
    geminios_seal::uuid_text(&geminios_seal::uuid_from(&Digest::of(bytes)))
}
