//! The control data of a package: fields and maintainer scripts.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};

use geminios_fetch::Blob;
use geminios_model::ScriptKind;
use tar::Archive;

use crate::archive::parse_ar;
use crate::error::{Fault, UnpackError};

/// The largest control archive of trixie has 3 MB (checksums of the kernel's modules).
const LARGEST: u64 = 64 << 20;

/// What a package says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The fields of the control file.
    pub fields: BTreeMap<String, String>,
    /// Its maintainer scripts.
    pub scripts: BTreeMap<ScriptKind, Vec<u8>>,
}

/// Reads the control data of a .deb.
///
/// # Errors
/// What dpkg-deb would not have written.
pub fn control(blob: &Blob) -> Result<Control, UnpackError> {
    let read = || -> Result<Control, Fault> {
        let mut deb = BufReader::new(blob.open()?);
        let part = parse_ar(&mut deb)?.control;
        parse_control(part.reader(deb)?)
    };
    read().map_err(UnpackError::of(blob))
}

/// Reads an unpacked control archive.
///
/// # Errors
/// As [`control`].
pub fn parse_control(archive: impl Read) -> Result<Control, Fault> {
    let mut control = Control::default();
    let mut found = false;
    for entry in Archive::new(archive.take(LARGEST)).entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        let script = ScriptKind::ALL.into_iter().find(|kind| kind.name() == name);
        if script.is_none() && name != "control" {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < entry.size() {
            return Err(Fault::TooLarge { limit: LARGEST });
        }
        let twice = match script {
            Some(kind) => control.scripts.insert(kind, bytes).is_some(),
            None => {
                control.fields = fields(&bytes)?;
                std::mem::replace(&mut found, true)
            }
        };
        if twice {
            return Err(Fault::Twice(name));
        }
    }
    if found { Ok(control) } else { Err(Fault::NotAPackage("it has no control file")) }
}

fn fields(bytes: &[u8]) -> Result<BTreeMap<String, String>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Control)?;
    let stanza: deb822_fast::Paragraph = text.parse().map_err(|_| Fault::Control)?;
    Ok(stanza.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}
