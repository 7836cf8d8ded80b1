use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use geminios_model::{Overlay, Source, TreePath};

use crate::content::Content;
use crate::error::ComposeError;
use crate::tree::Node;

/// An overlay: its description, and what its rootfs folder holds.
#[derive(Clone, Debug)]
pub struct OverlaySource {
    pub overlay: Overlay,
    pub source: Source,
    /// Sorted by path; a folder comes before what is in it.
    pub rootfs: Vec<RootfsEntry>,
}

/// One entry of a rootfs folder.
#[derive(Clone, Debug)]
pub struct RootfsEntry {
    pub path: TreePath,
    pub node: Node,
    pub mode: u32,
}

impl OverlaySource {
    /// Reads the rootfs folder of the overlay in `dir`. Only the owner's executable bit of a file's mode counts,
    /// as in git; neither umask nor times do.
    ///
    /// # Errors
    /// A file that cannot be read; a name or kind that cannot be in an image.
    pub fn load(overlay: Overlay, source: Source, dir: &Path) -> Result<Self, ComposeError> {
        let mut rootfs = Vec::new();
        let base = dir.join("rootfs");
        if base.is_dir() {
            walk(&base, &TreePath::root(), &mut rootfs)?;
        }
        Ok(OverlaySource { overlay, source, rootfs })
    }

    /// The overlay's name.
    pub fn name(&self) -> &str {
        &self.overlay.name
    }

    /// Where an entry of the rootfs folder stands, as messages show it.
    pub(crate) fn place_of(&self, path: &TreePath) -> String {
        let folder = self.source.path().parent().unwrap_or(Path::new(""));
        folder.join("rootfs").join(path.relative()).display().to_string()
    }

    /// Where a line of overlay.toml stands, as messages show it.
    pub(crate) fn place_at(&self, span: std::ops::Range<usize>) -> String {
        let line = self.source.complain(span, "").line();
        format!("{}:{line}", self.source.path().display())
    }
}

fn walk(dir: &Path, at: &TreePath, out: &mut Vec<RootfsEntry>) -> Result<(), ComposeError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(ComposeError::io(dir.display()))? {
        names.push(entry.map_err(ComposeError::io(dir.display()))?.file_name());
    }
    names.sort();
    for name in names {
        let file = dir.join(&name);
        let refuse = |why: String, help| ComposeError::Rootfs { path: file.clone(), why, help };
        let text = name.to_str().ok_or_else(|| refuse("its name is not UTF-8".into(), "rename it"))?;
        let path = at.join(text).map_err(|error| refuse(error.to_string(), "rename it"))?;
        let data = fs::symlink_metadata(&file).map_err(ComposeError::io(file.display()))?;
        let executable = data.permissions().mode() & 0o100 != 0;
        if data.is_dir() {
            out.push(RootfsEntry { path: path.clone(), node: Node::Directory, mode: 0o755 });
            walk(&file, &path, out)?;
        } else if data.is_symlink() {
            let target = link_target(&file)?;
            let target = target
                .ok_or_else(|| refuse("it links to a name that is not UTF-8".into(), "mend the link"))?;
            out.push(RootfsEntry { path, node: Node::Symlink(target), mode: 0o777 });
        } else if data.is_file() {
            let bytes = fs::read(&file).map_err(ComposeError::io(file.display()))?;
            let mode = if executable { 0o755 } else { 0o644 };
            out.push(RootfsEntry { path, node: Node::File(Content::from(bytes)), mode });
        } else {
            let help = "only files, folders and links can; devices and sockets are made on the device";
            return Err(refuse("it is no file, folder or link".into(), help));
        }
    }
    Ok(())
}

fn link_target(file: &PathBuf) -> Result<Option<String>, ComposeError> {
    let target = fs::read_link(file).map_err(ComposeError::io(file.display()))?;
    Ok(target.into_os_string().into_string().ok())
}
