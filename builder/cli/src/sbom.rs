//! The software bill of materials: CycloneDX 1.5 as JSON, made from the lock alone.

use geminios_model::{Digest, Lock, Profile};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::wishes::IMAGE;

/// What a package URL leaves as it is (purl specification, "Character encoding").
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b':');

/// The bill of the device's packages.
pub fn cyclonedx(profile: &Profile, lock: &Lock) -> Value {
    let digest = lock.digest();
    let components: Vec<Value> = lock
        .set(IMAGE)
        .map(|package| {
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
        })
        .collect();
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

fn purl(name: &str, version: &str, architecture: &str) -> String {
    let encode = |text| utf8_percent_encode(text, PLAIN).to_string();
    format!("pkg:deb/debian/{}@{}?arch={architecture}", encode(name), encode(version))
}

fn uuid(digest: &Digest) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.bytes()[..16]);
    geminios_seal::uuid_text(&geminios_seal::uuid_from(&Digest::of(bytes)))
}
