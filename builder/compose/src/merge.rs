use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use geminios_model::{LockedPackage, TreePath};
use geminios_unpack::{Member, MemberKind, Package};

use crate::content::Content;
use crate::error::ComposeError;
use crate::replaces;
use crate::tree::{Entry, Node, Owner, Tree};

/// The package whose folders and top-level links (usr-merge) come first.
const FIRST: &str = "base-files";

/// Puts the members of all packages into one tree, as dpkg would: links to folders are kept and followed, the first
/// package to bring a folder has the say about its mode, a file that [Replaces] another's takes its place.
///
/// Packages come in the order of their names but for base-files, so that nothing depends on the order given.
///
/// [Replaces]: https://www.debian.org/doc/debian-policy/ch-relationships.html
///
/// # Errors
/// Two packages with different content at one path; a path below a file.
pub(crate) fn merge(packages: &[(LockedPackage, Package)], epoch: u64) -> Result<Tree, ComposeError> {
    let mut sorted: Vec<_> = packages.iter().collect();
    sorted.sort_by_key(|(locked, _)| (locked.name != FIRST, &locked.name, &locked.architecture));
    let mut merge = Merge {
        tree: Tree::new(Owner::Fixup("folders"), epoch),
        epoch,
        packages: packages
            .iter()
            .map(|(locked, package)| (locked.name.as_str(), (locked, package)))
            .collect(),
        folders: HashMap::new(),
    };
    for (locked, package) in sorted {
        merge.package(locked, package)?;
    }
    Ok(merge.tree)
}

struct Merge<'a> {
    tree: Tree,
    epoch: u64,
    packages: BTreeMap<&'a str, (&'a LockedPackage, &'a Package)>,
    /// Where folders really are; only those that are there already.
    folders: HashMap<TreePath, TreePath>,
}

impl Merge<'_> {
    fn package(&mut self, locked: &LockedPackage, package: &Package) -> Result<(), ComposeError> {
        let data: Arc<std::path::Path> = package.data.path.as_path().into();
        let blob = |offset, size| Content::Blob { path: data.clone(), offset, size, id: package.data.digest };
        let mut files: HashMap<&TreePath, Content> = HashMap::new();
        for member in &package.members {
            let node = match &member.kind {
                MemberKind::Directory => Node::Directory,
                MemberKind::Symlink(target) => Node::Symlink(target.clone()),
                MemberKind::File { offset, size } => {
                    let content = blob(*offset, *size);
                    files.insert(&member.path, content.clone());
                    Node::File(content)
                }
                MemberKind::Hardlink(target) => {
                    let content = files.get(target).cloned().ok_or_else(|| ComposeError::HardLink {
                        package: locked.name.clone(),
                        path: member.path.clone(),
                        target: target.clone(),
                    })?;
                    files.insert(&member.path, content.clone());
                    Node::File(content)
                }
            };
            let owner = Owner::Package(locked.name.clone());
            self.member(member, node, owner)?;
        }
        Ok(())
    }

    fn member(&mut self, member: &Member, node: Node, owner: Owner) -> Result<(), ComposeError> {
        let path = self.real(&member.path, &owner)?;
        let mode = if matches!(node, Node::Symlink(_)) { 0o777 } else { member.mode & 0o7777 };
        let entry = Entry {
            node,
            mode,
            uid: member.uid,
            gid: member.gid,
            mtime: member.mtime.min(self.epoch),
            owner,
        };
        let Some(there) = self.tree.get(&path) else { return self.tree.insert(path, entry) };
        if path.as_str() == "/" {
            return Ok(());
        }
        match (&there.node, &entry.node) {
            (Node::Directory, Node::Directory) => Ok(()),
            (Node::Symlink(_), Node::Directory) if self.leads_to_folder(&path) => Ok(()),
            (Node::Symlink(a), Node::Symlink(b)) if a == b => Ok(()),
            (Node::Directory, _) => Err(ComposeError::FolderInTheWay { path, by: entry.owner }),
            (_, Node::Directory) => {
                let there = there.owner.clone();
                Err(ComposeError::NoFolder { path, owner: entry.owner, there })
            }
            (Node::File(a), Node::File(b)) if same(&path, a, b)? => Ok(()),
            _ => self.replace(path, entry),
        }
    }

    /// Two packages, one path: the one that says that it replaces the other has it.
    fn replace(&mut self, path: TreePath, entry: Entry) -> Result<(), ComposeError> {
        let there = self.tree.get(&path).map(|there| there.owner.clone());
        let (Some(Owner::Package(first)), Owner::Package(second)) = (there, entry.owner.clone()) else {
            return self.tree.insert(path, entry);
        };
        if first == second || self.replaces(&second, &first) {
            return self.tree.insert(path, entry);
        }
        if self.replaces(&first, &second) {
            return Ok(());
        }
        Err(ComposeError::TwoPackages { path, first, second })
    }

    fn replaces(&self, new: &str, old: &str) -> bool {
        match (self.packages.get(new), self.packages.get(old)) {
            (Some((_, new)), Some((old, _))) => new
                .control
                .fields
                .get("Replaces")
                .is_some_and(|field| replaces::names(field, &old.name, &old.version)),
            _ => false,
        }
    }

    fn leads_to_folder(&self, path: &TreePath) -> bool {
        self.tree.resolve(path).and_then(|real| self.tree.get(&real)).is_some_and(Entry::is_directory)
    }

    /// The path with the links in its folder followed.
    fn real(&mut self, path: &TreePath, owner: &Owner) -> Result<TreePath, ComposeError> {
        let Some(parent) = path.parent() else { return Ok(path.clone()) };
        if let Some(folder) = self.folders.get(&parent) {
            return Ok(folder.join(path.name())?);
        }
        let folder = match self.tree.resolve(&parent) {
            Some(folder) => folder,
            None => {
                // A folder that this package does not list, as dpkg allows; or one below a dangling link, which insert refuses.
                let above = self.real(&parent, owner)?;
                self.tree.make_parents(&above.join("x")?, owner, self.epoch)?;
                above
            }
        };
        let path = folder.join(path.name())?;
        self.folders.insert(parent, folder);
        Ok(path)
    }
}

fn same(path: &TreePath, a: &Content, b: &Content) -> Result<bool, ComposeError> {
    a.same_bytes(b).map_err(ComposeError::io(path))
}
