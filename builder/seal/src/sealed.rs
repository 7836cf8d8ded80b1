//! The step that the rest of a build calls.

use std::path::{Path, PathBuf};

use geminios_compose::{Installed, Tree};
use geminios_fetch::Steps;
use geminios_model::{Digest, Profile, Progress, Source, Unit};
use geminios_unpack::ToolSet;

use crate::erofs::{recipe, write_erofs};
use crate::error::SealError;
use crate::region::Region;
use crate::verity::Verity;

const STEP: &str = "seal";
const EROFS: &str = "root.erofs";
const VERITY: &str = "root.verity";
const HASH: &str = "root-hash";
/// Seed of the hash tree's salt. It is that of every image: with another salt all of a tree would be other bytes, and an update
/// would carry a whole tree for one changed file. The attack that a salt of its own prevents, a preimage that serves against
/// many images, is out of reach for SHA-256.
const SALT: &str = "geminios verity salt";

/// A sealed root: two files in the cache of steps, and what vouches for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub erofs: PathBuf,
    /// Bytes.
    pub erofs_size: u64,
    /// Superblock and hash tree, for a partition of their own.
    pub verity: PathBuf,
    /// Bytes.
    pub verity_size: u64,
    /// Goes onto the kernel command line as `roothash=`.
    pub root_hash: Digest,
}

/// Seals a tree with the `mkfs.erofs` of a tool set. The same tree, tool and epoch give the same bytes; what was
/// sealed before is taken from `steps`.
///
/// # Errors
/// Content cannot be read; `mkfs.erofs` fails; no room.
pub fn seal(
    tree: &Tree,
    tools: &ToolSet,
    steps: &Steps,
    epoch: u64,
    progress: &dyn Progress,
) -> Result<Sealed, SealError> {
    let tree_digest = tree.digest();
    let recipe = recipe(&tools.digest(), epoch);
    let key = Digest::of_parts([&tree_digest.bytes()[..], &recipe.bytes()[..], SALT.as_bytes()]);
    let reused = steps.get(STEP, &key).is_some();
    let size = tree.iter().filter_map(|(_, entry)| entry.content()).map(|content| content.len()).sum();
    progress.begin(STEP, if reused { 0 } else { size }, Unit::Bytes);
    let dir = steps.put(STEP, &key, |dir| {
        let erofs = dir.join(EROFS);
        write_erofs(tree, tools.command("mkfs.erofs"), epoch, &erofs, |bytes| progress.advance(STEP, bytes))?;
        let data = Region::whole(&erofs).map_err(SealError::write(&erofs))?;
        let tree = dir.join(VERITY);
        let verity =
            Verity::write(&data, *Digest::of(SALT).bytes(), &tree).map_err(SealError::write(&tree))?;
        let hash = dir.join(HASH);
        std::fs::write(&hash, format!("{}\n", verity.root_hash)).map_err(SealError::write(&hash))
    })?;
    let sealed = Sealed::open(&dir)?;
    let megabytes = sealed.erofs_size as f64 / 1e6;
    progress.end(STEP, &if reused { "reused".to_owned() } else { format!("{megabytes:.1} MB") });
    Ok(sealed)
}

impl Sealed {
    fn open(dir: &Path) -> Result<Self, SealError> {
        let damaged = |name: &str, why: String| SealError::Damaged { path: dir.join(name), why };
        let size = |name: &str| match std::fs::metadata(dir.join(name)) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(damaged(name, error.to_string())),
        };
        let hash =
            std::fs::read_to_string(dir.join(HASH)).map_err(|error| damaged(HASH, error.to_string()))?;
        Ok(Sealed {
            erofs_size: size(EROFS)?,
            erofs: dir.join(EROFS),
            verity_size: size(VERITY)?,
            verity: dir.join(VERITY),
            root_hash: hash.trim().parse().map_err(|_| damaged(HASH, "it holds no root hash".to_owned()))?,
        })
    }

    /// Checks that root and hash tree fit their slots and the profile's budget.
    ///
    /// # Errors
    /// What is too large, where its limit stands in the profile, and what weighs most.
    pub fn check_room(
        &self,
        profile: &Profile,
        source: &Source,
        installed: &Installed,
    ) -> Result<(), SealError> {
        let sizes = &profile.sizes;
        let limits = [
            ("root slot", "root", Some(&sizes.root), self.erofs_size, 1 << 20),
            ("slot of the hash tree", "root-verity", Some(&sizes.root_verity), self.verity_size, 1 << 20),
            ("budget", "root", profile.budget.root.as_ref(), self.erofs_size, 1_000_000),
        ];
        for (what, key, limit, size, unit) in limits {
            let Some(limit) = limit else { continue };
            let slot = limit.saturating_mul(unit);
            if size > slot {
                let line = source.complain(limit.span(), "").line();
                return Err(SealError::RootTooLarge {
                    size,
                    slot,
                    what,
                    place: format!("{}:{line}", source.path().display()),
                    key,
                    least: size.div_ceil(unit),
                    by_overlay: installed.table(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
