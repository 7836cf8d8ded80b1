use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::File;
use super::file::{sync_folder, write_new};
use super::sites::named;
use crate::{EMPTY, Key};

/// Where a new site's key is, and its register.
#[derive(Debug)]
pub struct Added {
    pub key: PathBuf,
    pub register: PathBuf,
}

/// Makes an empty register and a key. A site that is there is left as it is, and is an error; one that was half made is completed.
pub fn add_site(name: &str, folder: &Path, keys: &Path) -> Result<Added, String> {
    named(name)?;
    for folder in [folder, keys] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let (file, key) = (File::of(folder, name), keys.join(format!("{name}.key")));
    if key.exists() {
        return Err(format!("the site `{name}` has a key already: {}", key.display()));
    }
    // The register first: a key without one is a register that was lost.
    match file.make(name) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let kept = file.read(name).map_err(|error| error.to_string())?;
            if kept.record != EMPTY {
                return Err(format!(
                    "{}: the site `{name}` has a register in use, but no key {}; put the key back",
                    file.path().display(),
                    key.display()
                ));
            }
        }
        Err(error) => return Err(format!("{}: {error}", file.path().display())),
    }
    let random = Key::random().ok_or("the system gives no randomness")?;
    let new = key.with_extension("new");
    let written = write_new(&new, format!("{}\n", random.to_hex()).as_bytes());
    let written = written.and_then(|()| fs::rename(&new, &key)).and_then(|()| sync_folder(keys));
    written.map_err(|error| format!("{}: {error}", key.display()))?;
    Ok(Added { key, register: file.path().to_owned() })
}
