use std::io;
use std::path::PathBuf;

use geminios_fetch::{StepsError, StoreError};
use geminios_model::{Arch, BlobKind, Digest};

/// Why an image cannot come with the disk.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("there is no archive {}", .0.display())]
    NoArchive(PathBuf),
    #[error("archive {} is a folder", .0.display())]
    Folder(PathBuf),
    #[error("archive {} is compressed with {by}", path.display())]
    Compressed { path: PathBuf, by: &'static str },
    #[error("archive {} is one of `docker save`, which does not keep the digests that images have in registries", .0.display())]
    DockerSave(PathBuf),
    #[error("archive {} is not an OCI archive: {why}", path.display())]
    NotOci { path: PathBuf, why: String },
    #[error("archive {} ends within {member}", path.display())]
    Truncated { path: PathBuf, member: String },
    #[error("archive {} holds no image with digest sha256:{digest}", path.display())]
    NotInside {
        path: PathBuf,
        digest: Digest,
        /// Names and digests of the images that it does hold.
        others: Vec<String>,
    },
    #[error("archive {} lacks the {} sha256:{digest} of the image", path.display(), kind.name())]
    NoBlob { path: PathBuf, kind: BlobKind, digest: Digest },
    #[error("archive {} holds other bytes under blobs/sha256/{digest}: their digest is {found}", path.display())]
    WrongBlob { path: PathBuf, digest: Digest, found: Digest },
    #[error("the blob {digest} of archive {} has {found} bytes, and its image says {size}", path.display())]
    WrongSize { path: PathBuf, digest: Digest, size: u64, found: u64 },
    #[error("the {} sha256:{digest} cannot be understood: {why}", kind.name())]
    Malformed { kind: BlobKind, digest: Digest, why: String },
    #[error("the image has no manifest for {arch}, only for {}", offered.join(", "))]
    NoPlatform { arch: Arch, offered: Vec<String> },
    #[error("the image is for {found}, and the board for linux/{}", arch.go())]
    OtherPlatform { arch: Arch, found: String },
    #[error("the image has a {what} of media type `{media_type}`, which is unknown here")]
    MediaType { what: &'static str, media_type: String },
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Steps(#[from] StepsError),
}

impl ImageError {
    /// The remedy.
    pub fn help(&self) -> Option<String> {
        const SAVE: &str = "`skopeo copy --all docker://NAME@DIGEST oci-archive:app.tar` makes one";
        Some(match self {
            ImageError::NoArchive(_) => {
                format!(
                    "its path begins at the profile's folder; {SAVE}; without `archive` the registry is asked"
                )
            }
            ImageError::Folder(path) => {
                format!("make one file of it: tar -C {} -cf app.tar .", path.display())
            }
            ImageError::Compressed { path, by } => format!("unpack it first: {by} -d {}", path.display()),
            ImageError::DockerSave(_) | ImageError::NotOci { .. } => SAVE.to_owned(),
            ImageError::Truncated { .. }
            | ImageError::NoBlob { .. }
            | ImageError::WrongBlob { .. }
            | ImageError::WrongSize { .. } => format!("do not use it; copy it once more: {SAVE}"),
            ImageError::NotInside { others, .. } if others.is_empty() => "it holds none at all".to_owned(),
            ImageError::NotInside { others, .. } => format!("it holds {}", others.join(", ")),
            ImageError::NoPlatform { arch, .. } | ImageError::OtherPlatform { arch, .. } => {
                format!("take a version of the image that is built for {arch}, and its digest")
            }
            ImageError::MediaType { .. } => {
                "images of OCI and of Docker's schema 2 are loaded, with layers that are plain, gzip or zstd"
                    .to_owned()
            }
            ImageError::Malformed { .. } => "take another build of the image".to_owned(),
            ImageError::Io { .. } | ImageError::Store(_) | ImageError::Steps(_) => return None,
        })
    }
}

/// Puts the path that failed beside an I/O error.
pub(crate) fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> ImageError + '_ {
    move |error| ImageError::Io { path: path.to_owned(), error }
}
