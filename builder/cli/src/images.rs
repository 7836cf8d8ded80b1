//! Container images: into the lock, and onto the disk.

use std::path::PathBuf;

use anyhow::{Context, Error, Result};
use geminios_compose::{BuiltImage, BuiltProgram, Content};
use geminios_fetch::{Blob, Fetcher, Store, Want};
use geminios_model::{Digest, ImageWish, Lock, LockedBlob, LockedImage, Program, Progress, TreePath, Unit};
use geminios_oci::{Archive, Document, ImageError, Packed, Recipe, build, pack, packed, resolve};

use crate::pipeline::{Blobs, Build};
use crate::project::Description;
use crate::report::counted;
use crate::session::Session;
use crate::terminal::megabytes;

/// The stage that progress shows.
const STAGE: &str = "images";

/// The profile's images, each with its blobs. What the old lock has stays as it is there; of the others only indices,
/// manifests and configurations are fetched. An archive is looked at as a whole: it is here.
pub fn lock(
    session: &Session,
    description: &Description,
    fetcher: &Fetcher,
    store: &Store,
    old: Option<&Lock>,
) -> Result<Vec<LockedImage>> {
    let wishes = &description.profile.images;
    if wishes.is_empty() {
        return Ok(Vec::new());
    }
    session.terminal.begin(STAGE, wishes.len() as u64, Unit::Items);
    let mut locked = Vec::new();
    for wish in wishes {
        let image =
            locked_before(wish, description, old).map_or_else(|| look(wish, description, fetcher), Ok)?;
        if wish.archive.is_some() {
            take(wish, &image, description, store)?;
        }
        session.terminal.advance(STAGE, 1);
        locked.push(image);
    }
    locked.sort_by(|a, b| a.reference.cmp(&b.reference));
    session.terminal.end(STAGE, &format!("{} of the profile", counted(locked.len(), "image")));
    Ok(locked)
}

fn locked_before(wish: &ImageWish, description: &Description, old: Option<&Lock>) -> Option<LockedImage> {
    let same = |image: &&LockedImage| {
        image.reference == *wish.reference
            && image.digest == wish.pinned()
            && image.architecture == description.board.architecture
    };
    old?.images.iter().find(same).cloned()
}

fn look(wish: &ImageWish, description: &Description, fetcher: &Fetcher) -> Result<LockedImage> {
    let architecture = description.board.architecture;
    let name = &wish.reference;
    let looked = match open(wish, description)? {
        Some(archive) => {
            resolve(name, wish.pinned(), architecture, &mut |d| archive.document(d).map_err(Error::from))
        }
        None => resolve(name, wish.pinned(), architecture, &mut |&Document { kind, digest, size }| {
            Ok(match size {
                None => fetcher.manifest(name, &digest)?,
                Some(size) => fetcher.bytes(&Want::of_image(name, kind, digest, size))?,
            })
        }),
    };
    looked.map_err(|error| place(wish, description, error))
}

/// The archive that a profile names for an image.
fn open(wish: &ImageWish, description: &Description) -> Result<Option<Archive>> {
    let Some(archive) = &wish.archive else { return Ok(None) };
    let folder = description.profile_source.path().parent().map(PathBuf::from).unwrap_or_default();
    let opened = Archive::open(&folder.join(archive.as_str()));
    opened.map(Some).map_err(|error| place(wish, description, error.into()))
}

/// All blobs of an image out of its archive.
fn take(
    wish: &ImageWish,
    image: &LockedImage,
    description: &Description,
    store: &Store,
) -> Result<Option<Vec<Blob>>> {
    let Some(archive) = open(wish, description)? else { return Ok(None) };
    let blobs = image.blobs.iter().map(|blob| archive.take(blob, store)).collect::<Result<Vec<_>, _>>();
    blobs.map(Some).map_err(|error| place(wish, description, error.into()))
}

/// An error with the place in the profile that it is about.
fn place(wish: &ImageWish, description: &Description, error: Error) -> Error {
    let source = &description.profile_source;
    let error = match error.downcast::<ImageError>() {
        Ok(error) => error,
        Err(other) => {
            let line = source.complain(wish.reference.span(), "").line();
            let path = source.path().display();
            return other.context(format!("image {} ({path}:{line}) cannot be had", wish.reference));
        }
    };
    let digest = wish.digest.as_ref().map_or(wish.reference.span(), |digest| digest.span());
    let span = match (&error, &wish.archive) {
        (ImageError::Store(_) | ImageError::Steps(_) | ImageError::Io { .. }, _) => return error.into(),
        (
            ImageError::NoArchive(_)
            | ImageError::Folder(_)
            | ImageError::Compressed { .. }
            | ImageError::DockerSave(_)
            | ImageError::NotOci { .. }
            | ImageError::Truncated { .. }
            | ImageError::NoBlob { .. }
            | ImageError::WrongBlob { .. }
            | ImageError::WrongSize { .. },
            Some(archive),
        ) => archive.span(),
        _ => digest,
    };
    let complaint = source.complain(span, error.to_string()).label(wish.reference.to_string());
    match error.help() {
        Some(help) => complaint.help(help).into(),
        None => complaint.into(),
    }
}

impl Build<'_> {
    /// The blobs of those images that are not packed yet and come from a registry.
    pub(crate) fn image_wants(&self) -> Result<Vec<Want>> {
        let mut wants = Vec::new();
        for image in &self.lock.images {
            if self.wish(image)?.archive.is_none() && packed(image, &self.steps)?.is_none() {
                let want = |b: &LockedBlob| Want::of_image(&image.reference, b.kind, b.sha256, b.size);
                wants.extend(image.blobs.iter().map(want));
            }
        }
        Ok(wants)
    }

    /// All images, as archives for the device: the overlays' in their order, then the profile's.
    pub(crate) fn images(&self, blobs: &Blobs, programs: &[BuiltProgram]) -> Result<Vec<BuiltImage>> {
        if self.lock.images.is_empty() && self.description.overlays.iter().all(|(o, ..)| o.images.is_empty())
        {
            return Ok(Vec::new());
        }
        let mut images = Vec::new();
        self.session.terminal.begin(STAGE, 0, Unit::Items);
        for (overlay, ..) in &self.description.overlays {
            for image in &overlay.images {
                let of = |b: &&BuiltProgram| {
                    b.overlay == *overlay.name
                        && b.program.image.as_ref().is_some_and(|name| *name == image.name)
                };
                let recipe = Recipe {
                    image,
                    architecture: self.description.board.architecture,
                    programs: programs.iter().filter(of).filter_map(file).collect(),
                };
                images.push(built(Some(&overlay.name), &build(&recipe, &self.steps)?));
            }
        }
        for image in &self.lock.images {
            images.push(built(None, &self.pack(image, blobs)?));
        }
        let bytes = images.iter().map(|image| image.content.len()).sum();
        self.session
            .terminal
            .end(STAGE, &format!("{}, {}", counted(images.len(), "image"), megabytes(bytes)));
        Ok(images)
    }

    fn pack(&self, image: &LockedImage, blobs: &Blobs) -> Result<Packed> {
        if let Some(packed) = packed(image, &self.steps)? {
            return Ok(packed);
        }
        let wish = self.wish(image)?;
        let taken = match take(wish, image, self.description, &self.store)? {
            Some(taken) => taken,
            None => {
                let blob = |b: &LockedBlob| blobs.get(&b.sha256).cloned();
                let found: Option<Vec<Blob>> = image.blobs.iter().map(blob).collect();
                found.with_context(|| format!("{} was not fetched", image.reference))?
            }
        };
        Ok(pack(image, &taken, &self.steps)?)
    }

    fn wish(&self, image: &LockedImage) -> Result<&ImageWish> {
        let wish = self.description.profile.images.iter().find(|wish| *wish.reference == image.reference);
        wish.with_context(|| format!("{} is in the lock, but not in the profile", image.reference))
    }
}

fn built(overlay: Option<&str>, packed: &Packed) -> BuiltImage {
    let named = (&packed.name, packed.digest);
    BuiltImage::in_file(overlay, named, &packed.path, (packed.size, packed.sha256))
}

/// Path in the image, file and digest of a program.
fn file(built: &BuiltProgram) -> Option<(&TreePath, PathBuf, Digest)> {
    let Program { path, .. } = &built.program;
    match &built.content {
        Content::Blob { path: file, id, .. } => Some((path, file.to_path_buf(), *id)),
        Content::Bytes(_) => None,
    }
}
