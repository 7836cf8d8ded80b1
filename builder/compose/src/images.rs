//! Container images that come with the disk, for whoever loads them at boot.

use geminios_model::{Digest, ImageName, Profile, TreePath};

use crate::content::Content;
use crate::error::ComposeError;
use crate::tree::{Entry, Owner, Tree};

/// Where their archives are on a device.
const FOLDER: &str = "/usr/share/geminios/images";
/// The list of them.
const LIST: &str = "/usr/share/geminios/container-images";

/// A container image, packed for the device.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    /// The overlay whose image it is; none if the profile lists it.
    pub overlay: Option<String>,
    pub name: ImageName,
    /// Of its index or manifest.
    pub digest: Digest,
    /// An OCI archive.
    pub content: Content,
}

impl BuiltImage {
    /// An image whose archive stands in a file of its own.
    pub fn in_file(
        overlay: Option<&str>,
        (name, digest): (&ImageName, Digest),
        path: &std::path::Path,
        (size, id): (u64, Digest),
    ) -> BuiltImage {
        let content = Content::Blob { path: path.into(), offset: 0, size, id };
        BuiltImage { overlay: overlay.map(str::to_owned), name: name.clone(), digest, content }
    }

    /// Where its archive is on a device.
    pub(crate) fn path(&self) -> Result<TreePath, ComposeError> {
        Ok(TreePath::new(FOLDER)?.join(&self.name.file())?)
    }
}

/// Puts the profile's own images beside those of the overlays, and the list of all: `name digest bytes` lines.
pub(crate) fn put(
    tree: &mut Tree,
    images: &[BuiltImage],
    profile: &Profile,
    epoch: u64,
) -> Result<(), ComposeError> {
    let owner = Owner::Profile(profile.name.to_string());
    for image in images.iter().filter(|image| image.overlay.is_none()) {
        let path = image.path()?;
        if let Some(there) = tree.get(&path) {
            let there = there.owner.clone();
            return Err(ComposeError::Taken { path, by: owner, there });
        }
        tree.make_parents(&path, &owner, epoch)?;
        tree.insert(path, Entry::file(image.content.clone(), owner.clone(), epoch))?;
    }
    if images.is_empty() {
        return Ok(());
    }
    let line =
        |image: &BuiltImage| format!("{} sha256:{} {}\n", image.name, image.digest, image.content.len());
    let mut lines: Vec<String> = images.iter().map(line).collect();
    lines.sort();
    let (path, owner) = (TreePath::new(LIST)?, Owner::Fixup("image list"));
    tree.make_parents(&path, &owner, epoch)?;
    tree.insert(path, Entry::file(lines.concat(), owner, epoch))
}
