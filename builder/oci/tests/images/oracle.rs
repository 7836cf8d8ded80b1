//! skopeo takes our archives. Without it the test is skipped with a word; GEMINIOS_ORACLES=required makes it fail.

use std::path::Path;
use std::process::Command;

use geminios_oci::Packed;
use serde_json::Value;

use crate::made::World;
use crate::packing::{foreign, own};

/// What skopeo prints; none if the host has none.
fn skopeo(arguments: &[&str]) -> Option<String> {
    match Command::new("skopeo").args(arguments).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "skopeo {arguments:?}: {said}");
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "skopeo: {error}");
            eprintln!("skipped: no skopeo on this host ({error})");
            None
        }
    }
}

/// A name without the signs that skopeo's own grammar uses.
fn reference(world: &World, packed: &Packed, name: &str) -> String {
    let path = world.dir.path().join(name);
    std::fs::copy(&packed.path, &path).unwrap();
    format!("oci-archive:{}:{}", path.display(), packed.name.tag())
}

#[test]
fn skopeo_reads_what_we_pack() {
    let world = World::new();
    let program = own(&world, "program");
    let from = reference(&world, &program, "own.tar");
    let Some(text) = skopeo(&["--override-arch", "arm64", "inspect", &from]) else { return };
    let seen: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&seen["Architecture"], &seen["Os"]), (&"arm64".into(), &"linux".into()), "{text}");
    assert_eq!(seen["Digest"], format!("sha256:{}", program.digest), "{text}");
    let to = |name: &str| format!("dir:{}", Path::new(world.dir.path()).join(name).display());
    // A copy holds every layer against its digest.
    skopeo(&["--override-arch", "arm64", "--insecure-policy", "copy", &from, &to("own")]).unwrap();
    let (made, packed) = foreign(&world);
    let from = reference(&world, &packed, "foreign.tar");
    let text = skopeo(&["inspect", "--raw", &from]).unwrap();
    assert_eq!(geminios_model::Digest::of(text.trim_end()), made.index, "{text}");
}
