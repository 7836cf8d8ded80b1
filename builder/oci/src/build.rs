use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use geminios_fetch::Steps;
use geminios_model::{Arch, Digest, OverlayImage, TreePath};
use serde_json::json;

use crate::document::{CONFIG, LAYER, MANIFEST};
use crate::error::{ImageError, at};
use crate::pack::{Packed, append, header, pack_new};

/// Changes when the same programs would give another image.
const VERSION: &[u8] = b"1";
/// Where a command is looked for whose path is not given, as `kubectl exec` does.
const SEARCH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image of this tree is made of.
#[derive(Clone, Debug)]
pub struct Recipe<'a> {
    pub image: &'a OverlayImage,
    pub architecture: Arch,
    /// Path in the image, and file and digest, of each program.
    pub programs: Vec<(&'a TreePath, PathBuf, Digest)>,
}

/// Makes an image of one layer, or takes it from the cache if nothing changed.
///
/// # Errors
/// A program or the cache cannot be read or written.
pub fn build(recipe: &Recipe<'_>, steps: &Steps) -> Result<Packed, ImageError> {
    let Recipe { image, architecture, programs } = recipe;
    let entrypoint: Vec<&str> = image.entrypoint.iter().map(|word| word.as_str()).collect();
    let mut parts: Vec<&[u8]> =
        vec![VERSION, architecture.go().as_bytes(), image.name.as_str().as_bytes(), image.user.as_bytes()];
    for (path, _, digest) in programs {
        parts.extend([path.as_str().as_bytes(), digest.bytes()]);
    }
    parts.extend(entrypoint.iter().map(|word| word.as_bytes()));
    pack_new(&image.name, &Digest::of_parts(parts), steps, || {
        let layer = layer(programs)?;
        let config = json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": architecture.go(),
            "os": "linux",
            "config": { "User": image.user.as_str(), "Env": [SEARCH], "Entrypoint": entrypoint },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", Digest::of(&layer))] },
        });
        let config = config.to_string().into_bytes();
        let descriptor = |media_type: &str, bytes: &[u8]| {
            json!({
                "mediaType": media_type,
                "digest": format!("sha256:{}", Digest::of(bytes)),
                "size": bytes.len(),
            })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": [descriptor(LAYER, &layer)],
        });
        Ok(vec![manifest.to_string().into_bytes(), config, layer])
    })
}

/// The programs as a tar, each folder before what is in it.
fn layer(programs: &[(&TreePath, PathBuf, Digest)]) -> Result<Vec<u8>, ImageError> {
    let mut tar = tar::Builder::new(Vec::new());
    let memory = Path::new("the image's layer");
    let mut folders = BTreeSet::new();
    for (path, ..) in programs {
        let mut above = path.parent();
        while let Some(folder) = above.filter(|folder| folder.as_str() != "/") {
            above = folder.parent();
            folders.insert(folder);
        }
    }
    for folder in folders {
        let mut header = header(tar::EntryType::Directory, 0o755);
        let name = format!("{}/", folder.relative());
        tar.append_data(&mut header, name, std::io::empty()).map_err(at(memory))?;
    }
    let mut sorted: Vec<_> = programs.iter().collect();
    sorted.sort_by_key(|(path, ..)| *path);
    for (path, file, _) in sorted {
        let size = fs::metadata(file).map_err(at(file))?.len();
        let bytes = File::open(file).map_err(at(file))?;
        append(&mut tar, path.relative(), 0o755, size, bytes).map_err(at(file))?;
    }
    tar.into_inner().map_err(at(memory))
}
