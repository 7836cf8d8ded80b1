//! What a profile wishes of the archives: the image's packages, and the tools that build and run it.

use std::collections::BTreeMap;

use geminios_model::{Arch, Digest};
use geminios_resolve::{Wish, wishes_digest};

use crate::project::Description;

/// The set of the lock that holds the device's packages.
pub const IMAGE: &str = "image";

/// The architecture that the lock's tools are for.
pub const TOOLS_ARCH: Arch = Arch::Amd64;

/// One wish a set, the image's first.
pub fn wishes(description: &Description) -> Vec<Wish> {
    let mut wishes = vec![image(description)];
    for tool in &description.tools.tools {
        wishes.push(Wish {
            set: tool.name.to_string(),
            arch: TOOLS_ARCH,
            packages: tool.packages.iter().map(|p| (p.to_string(), format!("@{}", tool.name))).collect(),
            without: tool.withouts.iter().map(|w| (w.package.to_string(), w.reason.clone())).collect(),
            essential: false,
        });
    }
    wishes
}

fn image(description: &Description) -> Wish {
    let mut packages = Vec::new();
    let mut without = BTreeMap::new();
    for (overlay, ..) in &description.overlays {
        let origin = format!("@{}", overlay.name);
        packages.extend(overlay.packages.iter().map(|p| (p.to_string(), origin.clone())));
        without.extend(overlay.withouts.iter().map(|w| (w.package.to_string(), w.reason.clone())));
    }
    let origin = format!("@{}", description.profile.name);
    packages.extend(description.profile.packages.iter().map(|p| (p.to_string(), origin.clone())));
    Wish { set: IMAGE.into(), arch: description.board.architecture, packages, without, essential: true }
}

/// Digest of all that a lock answers to; a lock with another digest is older than its profile.
pub fn digest(description: &Description) -> Digest {
    let profile = &description.profile;
    wishes_digest(&profile.archives, &wishes(description), &profile.images)
}
