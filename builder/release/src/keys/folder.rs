//! The folder of keys: begin it, renew keys in it, look at it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use geminios_update_format::UnixTime;
use geminios_update_format::key::KeyId;
use geminios_update_format::metadata::{Header, RoleName, Root};
use geminios_update_format::write::{self, RootRole, Unsigned};

use crate::error::ReleaseError;
use crate::keys::file::generate;
use crate::keys::signer::{Keys, Place};

/// The first root, beside the keys. Images bring it, and a repository begins with it.
pub const FIRST_ROOT: &str = "1.root.json";

/// What `list` tells of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    pub path: PathBuf,
    pub role: RoleName,
    pub id: KeyId,
    pub place: Place,
    /// It was replaced, and signs only the root that says so.
    pub old: bool,
}

/// Makes keys where a role has fewer than asked for, and the first root. `roles`: how many keys, and how many of them must sign.
///
/// Keys that are there already, also such behind commands, are named in the root too. The root is written to `1.root.json` in the
/// folder; if that is there, it is an error.
pub fn init(
    folder: &Path,
    roles: &BTreeMap<RoleName, (usize, u64)>,
    now: UnixTime,
    lifetime: UnixTime,
) -> Result<Vec<u8>, ReleaseError> {
    let file = folder.join(FIRST_ROOT);
    if file.exists() {
        let why = "it is there already; use `geminios keys rotate` to change keys".to_owned();
        return Err(ReleaseError::KeyFolder { path: file, why });
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(ReleaseError::io(folder))?;
    for (role, (count, _)) in roles {
        let there = Keys::open(folder)?.current(*role).len();
        make(folder, *role, count.saturating_sub(there))?;
    }
    let keys = Keys::open(folder)?;
    let thresholds = roles.iter().map(|(role, (_, threshold))| (*role, *threshold)).collect();
    let header = Header { version: 1, expires: now + lifetime, issued: Some(now) };
    let mut unsigned = first_root(&keys, &thresholds, &header)?;
    let own = unsigned.body().clone();
    keys.require(&own, RoleName::Root)?;
    keys.sign(&mut unsigned, &own)?;
    let bytes = unsigned.finish_root(None)?;
    fs::write(&file, &bytes).map_err(ReleaseError::io(&file))?;
    Ok(bytes)
}

/// The root that names the keys of the folder.
fn first_root(
    keys: &Keys,
    thresholds: &BTreeMap<RoleName, u64>,
    header: &Header,
) -> Result<Unsigned<Root>, ReleaseError> {
    let role = |name: RoleName| {
        let threshold = thresholds.get(&name).copied().unwrap_or(1);
        (name, RootRole { keys: keys.current(name), threshold })
    };
    Ok(write::root(header, &RoleName::ALL.into_iter().map(role).collect())?)
}

/// Moves the key files of a role to `old/` and makes as many new ones. Descriptions of keys behind commands stay: change them by
/// hand. The repository knows nothing of it until [`crate::Repository::rotate`].
pub fn renew(folder: &Path, role: RoleName) -> Result<Vec<PathBuf>, ReleaseError> {
    let old = folder.join("old");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&old).map_err(ReleaseError::io(&old))?;
    let mut moved = 0;
    for (path, is_old) in files(folder)? {
        let pem = path.extension().is_some_and(|extension| extension == "pem");
        if is_old || !pem || role_of(&path)? != role {
            continue;
        }
        let name = path.file_name().unwrap_or_default();
        let place = old.join(name);
        if place.exists() {
            let why = "a key of this name was replaced before; move it away".to_owned();
            return Err(ReleaseError::KeyFolder { path: place, why });
        }
        fs::rename(&path, &place).map_err(ReleaseError::io(&path))?;
        moved += 1;
    }
    make(folder, role, moved)
}

/// New keys, with the lowest numbers that no key had before.
fn make(folder: &Path, role: RoleName, count: usize) -> Result<Vec<PathBuf>, ReleaseError> {
    let name = |number: &u32| format!("{}-{number}.pem", role.as_str());
    let free = (1..).filter(|number| {
        !folder.join(name(number)).exists() && !folder.join("old").join(name(number)).exists()
    });
    let paths: Vec<PathBuf> = free.take(count).map(|number| folder.join(name(&number))).collect();
    for path in &paths {
        generate(path)?;
    }
    Ok(paths)
}

/// All keys of a folder.
pub fn list(folder: &Path) -> Result<Vec<KeyInfo>, ReleaseError> {
    let info = |signer: &crate::keys::Signer| KeyInfo {
        path: signer.path.clone(),
        role: signer.role,
        id: signer.public.id(),
        place: signer.place(),
        old: signer.old,
    };
    Ok(Keys::open(folder)?.0.iter().map(info).collect())
}

/// Files of keys, sorted; whether each is old.
pub(super) fn files(folder: &Path) -> Result<Vec<(PathBuf, bool)>, ReleaseError> {
    let mut files = Vec::new();
    for (place, old) in [(folder.to_owned(), false), (folder.join("old"), true)] {
        let entries = match fs::read_dir(&place) {
            Err(error) if old && error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(ReleaseError::io(&place))?,
        };
        for entry in entries {
            let path = entry.map_err(ReleaseError::io(&place))?.path();
            if path.extension().is_some_and(|extension| extension == "pem" || extension == "toml") {
                files.push((path, old));
            }
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn role_of(path: &Path) -> Result<RoleName, ReleaseError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let role = RoleName::ALL
        .into_iter()
        .find(|role| name.strip_prefix(role.as_str()).is_some_and(|rest| rest.starts_with('-')));
    let why = || "its name does not begin with root-, targets-, snapshot- or timestamp-".to_owned();
    role.ok_or_else(|| ReleaseError::KeyFolder { path: path.to_owned(), why: why() })
}
