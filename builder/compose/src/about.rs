//! What the image tells the updater of itself: `/usr/lib/geminios/image.json`, and the keys that it believes first.

use geminios_model::{BootBackend, Located, TreePath};
use serde_json::{Value, json};

use crate::compose::Inputs;
use crate::error::ComposeError;
use crate::rootfs::OverlaySource;
use crate::tree::{Entry, Owner, Tree};

const FORMAT: u32 = 1;
const FOLDER: &str = "/usr/lib/geminios";

/// Formats of data in /var, by the names that releases have for them; 0 where no overlay has such data.
pub type Data = [(&'static str, u64); 3];

/// Writes both files.
///
/// # Errors
/// Two overlays keep the same kind of data; something else is in a file's place.
pub(crate) fn write(tree: &mut Tree, inputs: &Inputs<'_>, epoch: u64) -> Result<(), ComposeError> {
    let mut about = json!({
        "format": FORMAT,
        "profile": inputs.profile.name.as_str(),
        "board": inputs.board.name.as_str(),
        "arch": inputs.board.architecture.debian(),
        "version": inputs.profile.version.as_str(),
        "built": epoch,
        "boot": backend(inputs.board.boot),
        "data": object(&data(inputs.overlays)?),
    });
    if let Some(update) = &inputs.profile.update {
        let url = update.url.as_ref().map(|url| url.as_str());
        about["update"] = json!({ "url": url, "channel": update.channel });
    }
    put(tree, "image.json", format!("{about:#}\n").as_bytes(), epoch)?;
    inputs.root_of_trust.map_or(Ok(()), |root| put(tree, "root.json", root, epoch))
}

fn put(tree: &mut Tree, name: &str, bytes: &[u8], epoch: u64) -> Result<(), ComposeError> {
    let owner = Owner::Fixup("image.json");
    let path = TreePath::new(&format!("{FOLDER}/{name}"))?;
    tree.make_parents(&path, &owner, epoch)?;
    tree.insert(path, Entry::file(bytes.to_vec(), owner, epoch))
}

fn backend(backend: BootBackend) -> &'static str {
    match backend {
        BootBackend::BlsCount => "bls-count",
    }
}

/// What the overlays' programs keep in /var.
///
/// # Errors
/// Two overlays keep the same kind of data.
pub fn data(overlays: &[OverlaySource]) -> Result<Data, ComposeError> {
    let mut data = [("postgresql", 0), ("kine_schema", 0), ("kubernetes_minor", 0)];
    for source in overlays {
        let formats = &source.overlay.data;
        let wishes = [&formats.postgresql, &formats.kine_schema, &formats.kubernetes_minor];
        for ((name, known), wish) in data.iter_mut().zip(wishes) {
            if let Some(format) = wish {
                if *known != 0 {
                    return Err(twice(source, name, format).into());
                }
                *known = **format;
            }
        }
    }
    Ok(data)
}

fn twice(source: &OverlaySource, name: &str, format: &Located<u64>) -> geminios_model::Diagnostic {
    let key = name.replace('_', "-");
    source
        .source
        .complain(format.span(), format!("`{key}` stands in [data] of another overlay too"))
        .help("leave it to the overlay whose program owns the data")
}

/// As JSON.
#[must_use]
pub fn object(data: &Data) -> Value {
    Value::Object(data.iter().map(|(name, format)| ((*name).to_owned(), (*format).into())).collect())
}
