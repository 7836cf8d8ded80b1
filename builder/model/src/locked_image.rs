use std::fmt::Write as _;

use crate::stanza::Stanza;
use crate::{Arch, Diagnostic, Digest, ImageName};

/// A container image as a lock has it: each of its blobs, for one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedImage {
    pub reference: ImageName,
    /// What the profile pins: digest of an index, or of a manifest.
    pub digest: Digest,
    /// What of the index was chosen.
    pub architecture: Arch,
    /// The index if there is one, the manifest, the configuration, the layers from the lowest on; none twice.
    pub blobs: Vec<LockedBlob>,
}

/// One blob of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedBlob {
    pub kind: BlobKind,
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
}

/// What a blob is to its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlobKind {
    Index,
    Manifest,
    Config,
    Layer,
}

impl BlobKind {
    const ALL: [BlobKind; 4] = [BlobKind::Index, BlobKind::Manifest, BlobKind::Config, BlobKind::Layer];

    /// The word that stands for it in a lock.
    pub fn name(self) -> &'static str {
        match self {
            BlobKind::Index => "index",
            BlobKind::Manifest => "manifest",
            BlobKind::Config => "config",
            BlobKind::Layer => "layer",
        }
    }

    /// Whether registries give it below `manifests/`; the others are below `blobs/`.
    pub fn is_manifest(self) -> bool {
        matches!(self, BlobKind::Index | BlobKind::Manifest)
    }
}

impl LockedImage {
    /// Bytes of all blobs.
    pub fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }

    /// The image as a stanza of a lock.
    pub fn to_text(&self) -> String {
        let mut out = format!(
            "Image: {}\nDigest: {}\nArchitecture: {}\n",
            self.reference, self.digest, self.architecture
        );
        for blob in &self.blobs {
            let _ = writeln!(out, "Blob: {} {} {}", blob.kind.name(), blob.sha256, blob.size);
        }
        out
    }

    pub(crate) fn parse(stanza: &mut Stanza<'_>) -> Result<Self, Diagnostic> {
        let mut image = LockedImage {
            reference: stanza.take("Image")?,
            digest: stanza.take("Digest")?,
            architecture: stanza.take("Architecture")?,
            blobs: Vec::new(),
        };
        while stanza.has("Blob") {
            let text: String = stanza.take("Blob")?;
            let blob = blob(&text)
                .ok_or_else(|| stanza.complain(&format!("`{text}` is not KIND SHA256 SIZE of a blob")))?;
            image.blobs.push(blob);
        }
        let count = |kind| image.blobs.iter().filter(|blob| blob.kind == kind).count();
        let whole = count(BlobKind::Index) <= 1
            && count(BlobKind::Manifest) == 1
            && count(BlobKind::Config) == 1
            && image.blobs.is_sorted_by_key(|blob| blob.kind)
            && image.blobs.first().is_some_and(|first| first.sha256 == image.digest);
        match whole {
            true => Ok(image),
            false => Err(stanza
                .complain(&format!("the blobs of {} are not those of one image", image.reference))
                .help("locks are not edited by hand; make it anew with `geminios lock`")),
        }
    }
}

fn blob(text: &str) -> Option<LockedBlob> {
    let words: Vec<&str> = text.split(' ').collect();
    let &[kind, sha256, size] = words.as_slice() else { return None };
    Some(LockedBlob {
        kind: BlobKind::ALL.into_iter().find(|known| known.name() == kind)?,
        sha256: sha256.parse().ok()?,
        size: size.parse().ok()?,
    })
}
