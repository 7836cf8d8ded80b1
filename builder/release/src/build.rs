//! What is to be published, as plain values.

use std::path::{Path, PathBuf};

use geminios_model::Digest as ModelDigest;
use geminios_seal::Region;
use geminios_update_format::name::{is_label, version};
use geminios_update_format::release::{DataContract, ImageKind};
use geminios_update_format::{Digest, UnixTime};
use semver::Version;

use crate::encode::digest_of;
use crate::error::ReleaseError;

/// A build: where its images lie, and what release.json says of it.
#[derive(Clone, Debug)]
pub struct Build {
    pub version: Version,
    pub profile: String,
    pub board: String,
    pub arch: String,
    pub root_hash: Digest,
    pub built: UnixTime,
    /// Lowest level of the updater that can install it.
    pub updater: u64,
    pub data: DataContract,
    pub root: Part,
    pub verity: Part,
    pub uki: Part,
    pub sbom: Option<PathBuf>,
    pub notes: Option<PathBuf>,
}

/// A stretch of a file: a partition of a disk image, or a file from its begin.
#[derive(Clone, Debug)]
pub struct Part {
    pub path: PathBuf,
    /// Bytes.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    pub sha256: Digest,
}

impl Part {
    /// A whole file, hashed now.
    pub fn of_file(path: &Path) -> Result<Self, ReleaseError> {
        let region = Region::whole(path).map_err(ReleaseError::io(path))?;
        let sha256 = digest_of(&region).map_err(ReleaseError::io(path))?;
        Ok(Part { path: path.to_owned(), offset: 0, size: region.size(), sha256 })
    }

    pub(crate) fn region(&self) -> Result<Region, ReleaseError> {
        Region::part(&self.path, self.offset, self.size).map_err(ReleaseError::io(&self.path))
    }
}

impl Build {
    pub(crate) fn parts(&self) -> [(ImageKind, &Part); 3] {
        [(ImageKind::Root, &self.root), (ImageKind::Verity, &self.verity), (ImageKind::Uki, &self.uki)]
    }

    /// Whether it can be released, and its files are what it says: the SHA-256 of each, and the root against its hash tree.
    pub fn check(&self) -> Result<(), ReleaseError> {
        let wrong = |what: String, problem: String| Err(ReleaseError::Build { what, problem });
        for (what, name) in [("profile", &self.profile), ("board", &self.board), ("architecture", &self.arch)]
        {
            if !is_label(name) {
                let problem = format!("`{name}` is no name of a-z, 0-9, - _ and ., of at most 63 bytes");
                return wrong(what.to_owned(), problem);
            }
        }
        if version(&self.version.to_string()).is_none() {
            let problem = format!("`{}` has a + or more than 63 bytes", self.version);
            return wrong("version".to_owned(), problem);
        }
        for (kind, part) in self.parts() {
            let what = || format!("{} ({})", kind.as_str(), part.path.display());
            let seen = digest_of(&part.region()?).map_err(ReleaseError::io(&part.path))?;
            if seen != part.sha256 {
                return wrong(what(), format!("its SHA-256 is {seen}, expected {}", part.sha256));
            }
        }
        match verity(&self.root.region()?, &self.verity.region()?, &self.root_hash) {
            Ok(()) => Ok(()),
            Err(problem) => wrong("verity".to_owned(), problem),
        }
    }
}

/// Checks a root by its hash tree, as the kernel will.
pub(crate) fn verity(root: &Region, tree: &Region, root_hash: &Digest) -> Result<(), String> {
    let hash: ModelDigest = root_hash.to_string().parse().map_err(|error| format!("{error}"))?;
    let verity = geminios_seal::verify(root, tree, &hash).map_err(|error| error.to_string())?;
    let (covered, size) = (verity.data_blocks * geminios_seal::BLOCK, root.size());
    // A root that is longer than its tree says would have bytes at its end that nobody vouches for.
    if covered == size { Ok(()) } else { Err(format!("it covers {covered} bytes, the root has {size}")) }
}
