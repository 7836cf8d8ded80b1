use geminios_model::{Digest, Profile, TreePath};

use crate::error::ComposeError;
use crate::tree::{Entry, Owner, Tree};

/// Folders that every image has: mount points, and what stands before /var is mounted.
/// /var/tmp must be in the image, or units with PrivateTmp= fail before /var is there.
const FOLDERS: [(&str, u32); 16] = [
    ("/boot", 0o755),
    ("/dev", 0o755),
    ("/efi", 0o755),
    ("/etc", 0o755),
    ("/home", 0o755),
    ("/media", 0o755),
    ("/mnt", 0o755),
    ("/opt", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/srv", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/var", 0o755),
    ("/var/tmp", 0o1777),
];

/// Makes what maintainer scripts and systemd would have made and no package ships: folders, /etc/machine-id, /etc/mtab.
///
/// # Errors
/// A file is in a folder's place.
pub(crate) fn make(tree: &mut Tree, epoch: u64) -> Result<(), ComposeError> {
    for (path, mode) in FOLDERS {
        let folder = Entry::directory(Owner::Fixup("folders"), epoch).with_mode(mode);
        put_folder(tree, TreePath::new(path)?, folder)?;
    }
    // Empty in the image: the init of the initrd binds the device's own over it.
    let id = Entry::file("", Owner::Fixup("machine-id"), epoch).with_mode(0o444);
    tree.insert(TreePath::new("/etc/machine-id")?, id)?;
    let mtab = Entry::symlink("../proc/self/mounts", Owner::Fixup("mtab"), epoch);
    tree.insert(TreePath::new("/etc/mtab")?, mtab)
}

fn put_folder(tree: &mut Tree, path: TreePath, folder: Entry) -> Result<(), ComposeError> {
    match tree.get_mut(&path) {
        Some(there) if there.is_directory() => {
            (there.mode, there.uid, there.gid) = (folder.mode, 0, 0);
            Ok(())
        }
        Some(there) => Err(ComposeError::NoFolder { path, owner: folder.owner, there: there.owner.clone() }),
        None => tree.insert(path, folder),
    }
}

/// What the image says it is, in the form of os-release(5).
pub fn os_release(profile: &Profile, lock: &Digest) -> String {
    let (name, version) = (&profile.name, &profile.version);
    let build = &lock.to_string()[..12];
    format!(
        "PRETTY_NAME=\"GeminiOS {version} ({name})\"\nNAME=\"GeminiOS\"\nID=geminios\nID_LIKE=debian\nVERSION_ID=\"{version}\"\nIMAGE_ID=\"{name}\"\nIMAGE_VERSION=\"{version}\"\nBUILD_ID=\"{build}\"\n"
    )
}

/// Writes os-release in place of base-files'.
///
/// # Errors
/// A folder is in its place.
pub(crate) fn write_os_release(tree: &mut Tree, text: &str, epoch: u64) -> Result<(), ComposeError> {
    let owner = Owner::Fixup("os-release");
    let path = TreePath::new("/usr/lib/os-release")?;
    tree.make_parents(&path, &owner, epoch)?;
    tree.insert(path, Entry::file(text, owner.clone(), epoch))?;
    tree.insert(TreePath::new("/etc/os-release")?, Entry::symlink("../usr/lib/os-release", owner, epoch))
}
