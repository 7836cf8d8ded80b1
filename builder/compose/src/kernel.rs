use geminios_model::{Arch, TreePath};

use crate::content::Content;
use crate::error::ComposeError;
use crate::tree::{Entry, Tree};

/// What boots, taken out of the packages.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// As `uname -r` says it.
    pub version: String,
    pub image: Content,
    /// systemd's stub, the frame of a unified kernel image.
    pub stub: Content,
    /// systemd-boot.
    pub loader: Content,
}

/// Finds the one kernel of the tree, systemd's stub and systemd-boot. Changes nothing.
///
/// # Errors
/// No kernel or several; no stub or loader.
pub(crate) fn find(tree: &Tree, arch: Arch) -> Result<Kernel, ComposeError> {
    let version = version(tree)?;
    let image = [
        format!("/boot/vmlinuz-{version}"),
        format!("/usr/lib/modules/{version}/vmlinuz"),
        format!("/boot/vmlinux-{version}"),
    ];
    let efi = arch.efi();
    Ok(Kernel {
        image: first(tree, "kernel image", &image, "add a linux-image package to an overlay")?,
        stub: boot_file(tree, "UEFI stub", format!("/usr/lib/systemd/boot/efi/linux{efi}.efi.stub"))?,
        loader: boot_file(tree, "boot loader", format!("/usr/lib/systemd/boot/efi/systemd-boot{efi}.efi"))?,
        version,
    })
}

/// Empties /boot: what boots stands on the EFI system partition.
pub(crate) fn clear_boot(tree: &mut Tree) -> Result<(), ComposeError> {
    let boot = TreePath::new("/boot")?;
    let inside: Vec<TreePath> = tree.children(&boot).map(|(path, _)| path.clone()).collect();
    inside.iter().for_each(|path| tree.remove(path));
    Ok(())
}

fn version(tree: &Tree) -> Result<String, ComposeError> {
    let modules = TreePath::new("/usr/lib/modules")?;
    let mut versions: Vec<String> = tree
        .children(&modules)
        .filter(|(_, entry)| entry.is_directory())
        .map(|(path, _)| path.name().to_owned())
        .collect();
    match versions.len() {
        0 => Err(ComposeError::Missing {
            what: "kernel",
            looked: format!("looked for a folder in {modules}"),
            help: "add a linux-image package to an overlay",
        }),
        1 => Ok(versions.remove(0)),
        _ => Err(ComposeError::Kernels(versions)),
    }
}

fn boot_file(tree: &Tree, what: &'static str, path: String) -> Result<Content, ComposeError> {
    first(tree, what, &[path], "add package systemd-boot-efi to an overlay")
}

fn first(
    tree: &Tree,
    what: &'static str,
    paths: &[String],
    help: &'static str,
) -> Result<Content, ComposeError> {
    for path in paths {
        if let Some(content) = tree.get(&TreePath::new(path)?).and_then(Entry::content) {
            return Ok(content.clone());
        }
    }
    Err(ComposeError::Missing { what, looked: format!("looked for {}", paths.join(", ")), help })
}
