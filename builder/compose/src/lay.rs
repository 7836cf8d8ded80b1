use std::collections::{BTreeMap, BTreeSet};

use geminios_model::{Digest, Program, ProgramPlace, TreePath};

use crate::accounts::Accounts;
use crate::content::Content;
use crate::error::ComposeError;
use crate::images::BuiltImage;
use crate::rootfs::OverlaySource;
use crate::tree::{Entry, Node, Owner, Tree};

/// A compiled program of an overlay.
#[derive(Clone, Debug)]
pub struct BuiltProgram {
    /// The overlay whose program it is.
    pub overlay: String,
    pub program: Program,
    pub content: Content,
}

impl BuiltProgram {
    /// A program that stands in a file of its own, such as a blob of the store.
    pub fn in_file(
        overlay: &str,
        program: &Program,
        path: &std::path::Path,
        size: u64,
        digest: Digest,
    ) -> BuiltProgram {
        let content = Content::Blob { path: path.into(), offset: 0, size, id: digest };
        BuiltProgram { overlay: overlay.to_owned(), program: program.clone(), content }
    }
}

/// Lays the overlays' files, programs, container images, folders, links and alternatives over the tree, in the profile's order,
/// then sets declared owners.
///
/// # Errors
/// Two overlays with one path; a path of a package or a fix-up without its [[replace]]; a [[replace]] that replaces nothing;
/// a target that is not there.
pub(crate) fn lay(
    tree: &mut Tree,
    overlays: &[OverlaySource],
    (programs, images): (&[BuiltProgram], &[BuiltImage]),
    accounts: &Accounts,
    mtime: u64,
) -> Result<(), ComposeError> {
    let mut layer = Layer { tree, mtime, claims: BTreeMap::new(), replaced: BTreeSet::new() };
    for source in overlays {
        layer.rootfs(source)?;
        layer.programs(source, programs)?;
        layer.images(source, images)?;
        for d in &source.overlay.directories {
            layer.directory(source, d, accounts)?;
        }
        for link in &source.overlay.links {
            let place = source.place_at(link.path.span());
            let entry = Entry::symlink(&link.target, layer.owner(source), mtime);
            layer.put(source, link.path.clone().into_inner(), place, entry)?;
        }
    }
    // After all overlays, so that an alternative may name a file that a later overlay brings.
    for source in overlays {
        layer.alternatives(source)?;
    }
    for source in overlays {
        layer.unused_replaces(source)?;
        for owner in &source.overlay.owners {
            set_owner(layer.tree, source, owner, accounts)?;
        }
    }
    Ok(())
}

struct Layer<'a> {
    tree: &'a mut Tree,
    mtime: u64,
    /// Overlay and place of each path that an overlay claimed.
    claims: BTreeMap<TreePath, (String, String)>,
    /// Paths where something of a package or fix-up was, and an overlay's is now.
    replaced: BTreeSet<TreePath>,
}

impl Layer<'_> {
    fn owner(&self, source: &OverlaySource) -> Owner {
        Owner::Overlay(source.name().to_owned())
    }

    fn rootfs(&mut self, source: &OverlaySource) -> Result<(), ComposeError> {
        for e in &source.rootfs {
            let entry = Entry {
                node: e.node.clone(),
                mode: e.mode,
                uid: 0,
                gid: 0,
                mtime: self.mtime,
                owner: self.owner(source),
            };
            if entry.is_directory() {
                self.folder(&e.path, entry)?;
            } else {
                self.put(source, e.path.clone(), source.place_of(&e.path), entry)?;
            }
        }
        Ok(())
    }

    /// A folder on the way to a file: whoever made it first has the say about its mode.
    fn folder(&mut self, path: &TreePath, entry: Entry) -> Result<(), ComposeError> {
        match self.tree.get(path) {
            None => self.tree.insert(path.clone(), entry),
            Some(there) => match &there.node {
                Node::Directory => Ok(()),
                // What is below it will be refused with the path to write instead.
                Node::Symlink(_) => Ok(()),
                Node::File(_) => {
                    let (owner, there) = (entry.owner, there.owner.clone());
                    Err(ComposeError::NoFolder { path: path.clone(), owner, there })
                }
            },
        }
    }

    fn programs(&mut self, source: &OverlaySource, programs: &[BuiltProgram]) -> Result<(), ComposeError> {
        for built in programs {
            if built.overlay == source.name() && built.program.place == ProgramPlace::Root {
                let place = source.place_at(built.program.source.span());
                let entry =
                    Entry::file(built.content.clone(), self.owner(source), self.mtime).with_mode(0o755);
                self.put(source, built.program.path.clone(), place, entry)?;
            }
        }
        Ok(())
    }

    fn images(&mut self, source: &OverlaySource, images: &[BuiltImage]) -> Result<(), ComposeError> {
        for image in images.iter().filter(|image| image.overlay.as_deref() == Some(source.name())) {
            let of = source.overlay.images.iter().find(|of| *of.name == image.name);
            let place = source.place_at(of.map_or(0..0, |of| of.name.span()));
            let entry = Entry::file(image.content.clone(), self.owner(source), self.mtime);
            self.put(source, image.path()?, place, entry)?;
        }
        Ok(())
    }

    fn directory(
        &mut self,
        source: &OverlaySource,
        directory: &geminios_model::Directory,
        accounts: &Accounts,
    ) -> Result<(), ComposeError> {
        let path = &*directory.path;
        self.claim(source, path, source.place_at(directory.path.span()))?;
        let (uid, gid) = accounts.ids(source, &directory.path, &directory.user, &directory.group)?;
        let owner = self.owner(source);
        if let Some(there) = self.tree.get(path).filter(|there| !there.is_directory()) {
            let there = there.owner.clone();
            return Err(ComposeError::NoFolder { path: path.clone(), owner, there });
        }
        self.tree.make_parents(path, &owner, self.mtime)?;
        let mode = directory.mode_bits();
        self.tree
            .insert(path.clone(), Entry { node: Node::Directory, mode, uid, gid, mtime: self.mtime, owner })
    }

    fn alternatives(&mut self, source: &OverlaySource) -> Result<(), ComposeError> {
        for alternative in &source.overlay.alternatives {
            if self.tree.resolve(&alternative.path).is_none() {
                return Err(source
                    .source
                    .complain(alternative.link.span(), format!("nothing is at {}", alternative.path))
                    .label("this alternative would lead nowhere")
                    .help("add the package that brings it, or choose another path")
                    .into());
            }
            let place = source.place_at(alternative.link.span());
            let entry = Entry::symlink(alternative.path.as_str(), self.owner(source), self.mtime);
            self.put(source, alternative.link.clone().into_inner(), place, entry)?;
        }
        Ok(())
    }

    /// Puts a file or link, if nobody else has the path or the overlay says that it replaces it.
    fn put(
        &mut self,
        source: &OverlaySource,
        path: TreePath,
        place: String,
        entry: Entry,
    ) -> Result<(), ComposeError> {
        self.claim(source, &path, place.clone())?;
        if let Some(there) = self.tree.get(&path) {
            if !source.overlay.replaces.iter().any(|r| *r.path == path) {
                return Err(needs_replace(source, path, place, there));
            }
            self.replaced.insert(path.clone());
        }
        self.tree.make_parents(&path, &entry.owner, self.mtime)?;
        self.tree.insert(path, entry)
    }

    fn claim(&mut self, source: &OverlaySource, path: &TreePath, place: String) -> Result<(), ComposeError> {
        let claim = (source.name().to_owned(), place);
        match self.claims.insert(path.clone(), claim.clone()) {
            Some((overlay, first)) if overlay == claim.0 => Err(source
                .source
                .complain(source.overlay.name.span(), format!("this overlay makes {path} twice"))
                .help(format!("keep one of {first} and {}", claim.1))
                .into()),
            Some((_, first)) => Err(ComposeError::TwoOverlays { path: path.clone(), first, second: claim.1 }),
            None => Ok(()),
        }
    }

    fn unused_replaces(&self, source: &OverlaySource) -> Result<(), ComposeError> {
        for replace in &source.overlay.replaces {
            let claimed = self.claims.get(&*replace.path).is_some_and(|(by, _)| by == source.name());
            let message = match (claimed, self.replaced.contains(&*replace.path)) {
                (true, true) => continue,
                (true, false) => format!("no package brings {}", replace.path),
                (false, _) => format!("overlay {} puts nothing at {}", source.name(), replace.path),
            };
            return Err(source
                .source
                .complain(replace.path.span(), message)
                .label("this [[replace]] replaces nothing")
                .help("remove it; to leave a package's file out, write a [[prune]]")
                .into());
        }
        Ok(())
    }
}

fn needs_replace(source: &OverlaySource, path: TreePath, place: String, there: &Entry) -> ComposeError {
    let stanza = format!("    [[replace]]\n    path = \"{path}\"\n    reason = \"why ours\"");
    let toml = source.source.path().to_owned();
    ComposeError::NeedsReplace { path, place, owner: there.owner.clone(), toml, stanza }
}

fn set_owner(
    tree: &mut Tree,
    source: &OverlaySource,
    owner: &geminios_model::OwnerOverride,
    accounts: &Accounts,
) -> Result<(), ComposeError> {
    let (uid, gid) = accounts.ids(source, &owner.path, &owner.user, &owner.group)?;
    let complain = |message: String| source.source.complain(owner.path.span(), message);
    let Some(entry) = tree.get_mut(&owner.path) else {
        return Err(complain(format!("nothing is at {}", owner.path))
            .label("so it can have no owner")
            .help("remove this [[owner]], or mend its path")
            .into());
    };
    if matches!(entry.node, Node::Symlink(_)) {
        return Err(complain(format!("{} is a link", owner.path)).help("name what it points to").into());
    }
    (entry.uid, entry.gid, entry.mode) = (uid, gid, owner.mode_bits());
    Ok(())
}
