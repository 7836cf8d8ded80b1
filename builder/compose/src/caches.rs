use std::fs;

use geminios_model::{Arch, TreePath};

use crate::content::Content;
use crate::error::ComposeError;
use crate::tools::{Job, Tools};
use crate::tree::{Entry, Node, Owner, Tree};

/// ld.so.cache: where the dynamic loader finds libraries.
///
/// # Errors
/// ldconfig fails.
pub(crate) fn libraries(
    tree: &Tree,
    arch: Arch,
    tools: &Tools<'_>,
) -> Result<Vec<(TreePath, Node)>, ComposeError> {
    let multiarch = format!("/usr/lib/{}", arch.multiarch());
    let mut folders =
        vec![TreePath::new("/usr/lib")?, TreePath::new("/usr/lib64")?, TreePath::new(&multiarch)?];
    folders.extend(configured(tree)?);
    let configuration = [TreePath::new("/etc/ld.so.conf")?, TreePath::new("/etc/ld.so.conf.d")?];
    let wanted = |path: &TreePath, entry: &Entry| {
        let library = path.name().contains(".so") && !entry.is_directory();
        let usr_merge = path.name().starts_with("lib") && matches!(entry.node, Node::Symlink(_));
        configuration.iter().any(|c| path.is_within(c))
            || (library && path.parent().is_some_and(|folder| folders.contains(&folder)))
            || (usr_merge && path.parent().is_some_and(|folder| folder.as_str() == "/"))
    };
    let job = Job {
        program: "ldconfig",
        // -X: packages ship the links to libraries' sonames, none is made here.
        arguments: &["-X", "-r", "{}"],
        wanted: &wanted,
        // ldconfig warns about folders of ld.so.conf that are not there and does not need more.
        frame: &|scratch| fs::create_dir_all(scratch.join("etc")),
    };
    let cache = TreePath::new("/etc/ld.so.cache")?;
    Ok(tools.run(tree, &job)?.into_iter().filter(|(path, _)| *path == cache).collect())
}

/// Folders that /etc/ld.so.conf.d names.
fn configured(tree: &Tree) -> Result<Vec<TreePath>, ComposeError> {
    let mut out = Vec::new();
    for (path, entry) in tree.children(&TreePath::new("/etc/ld.so.conf.d")?) {
        let Some(content) = entry.content() else { continue };
        let text = content.read().map_err(ComposeError::io(path))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let folders = text.lines().filter_map(|line| TreePath::new(line.trim()).ok());
        out.extend(folders.filter_map(|folder| tree.resolve(&folder)));
    }
    Ok(out)
}

/// modules.dep and its kin: what each kernel module needs.
///
/// # Errors
/// depmod fails.
pub(crate) fn modules(
    tree: &Tree,
    version: &str,
    tools: &Tools<'_>,
) -> Result<Vec<(TreePath, Node)>, ComposeError> {
    let folder = TreePath::new(&format!("/usr/lib/modules/{version}"))?;
    let wanted = |path: &TreePath, _: &Entry| path.is_within(&folder);
    let job = Job {
        program: "depmod",
        // An empty configuration folder, or depmod would read the host's.
        arguments: &["-b", "{}", "-C", "{}/depmod.d", version],
        wanted: &wanted,
        // kmod looks in /lib or /usr/lib, as it was built.
        frame: &|scratch| {
            fs::create_dir_all(scratch.join("depmod.d"))?;
            std::os::unix::fs::symlink("usr/lib", scratch.join("lib"))
        },
    };
    Ok(tools.run(tree, &job)?.into_iter().filter(|(path, _)| path.is_within(&folder)).collect())
}

/// Puts what a tool made into the tree.
///
/// # Errors
/// Its folder is not there.
pub(crate) fn put(
    tree: &mut Tree,
    made: Vec<(TreePath, Node)>,
    name: &'static str,
    epoch: u64,
) -> Result<(), ComposeError> {
    for (path, node) in made {
        let owner = Owner::Fixup(name);
        tree.make_parents(&path, &owner, epoch)?;
        let mode = if matches!(node, Node::Symlink(_)) { 0o777 } else { 0o644 };
        tree.insert(path, Entry { node, mode, uid: 0, gid: 0, mtime: epoch, owner })?;
    }
    Ok(())
}

/// The bundle of trusted certificates, as update-ca-certificates would write it; none if no package brings any.
///
/// # Errors
/// A certificate cannot be read.
pub(crate) fn certificates(tree: &Tree) -> Result<Option<Content>, ComposeError> {
    let mut bundle = Vec::new();
    for (path, entry) in tree.below(&TreePath::new("/usr/share/ca-certificates")?) {
        let Some(content) = entry.content().filter(|_| path.name().ends_with(".crt")) else { continue };
        bundle.extend(content.read().map_err(ComposeError::io(path))?);
        if bundle.last() != Some(&b'\n') {
            bundle.push(b'\n');
        }
    }
    Ok((!bundle.is_empty()).then(|| Content::from(bundle)))
}
