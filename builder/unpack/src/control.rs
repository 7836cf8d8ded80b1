//! The control data of a package: fields and maintainer scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Cursor, Read};

use geminios_fetch::Blob;
use geminios_model::{ScriptKind, TreePath};

use crate::archive::parse_ar;
use crate::error::{Fault, UnpackError, shown};
use crate::tar::{Headers, Kind};

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

impl Control {
    /// Name and version, on one line.
    pub(crate) fn name(&self) -> Option<String> {
        let field = |key| self.fields.get(key).map(|value| value.escape_debug());
        Some(format!("{} {}", field("Package")?, field("Version")?))
    }
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
    read().map_err(|fault| UnpackError::new(blob, None, fault))
}

/// Reads an unpacked control archive.
///
/// # Errors
/// As [`control`].
pub fn parse_control(archive: impl Read) -> Result<Control, Fault> {
    read(archive).map_err(Fault::within("control.tar"))
}

fn read(archive: impl Read) -> Result<Control, Fault> {
    let mut bytes = Vec::new();
    archive.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Fault::TooLarge { limit: LARGEST });
    }
    let mut headers = Headers::new(Cursor::new(bytes))?;
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    while let Some(header) = headers.next()? {
        let path = TreePath::from_member(&header.name)?;
        let name = path.relative();
        match header.kind {
            Kind::Directory if name.is_empty() => {}
            Kind::Regular if !name.is_empty() && !name.contains('/') => {
                let bytes = headers.bytes(&header)?;
                if files.insert(name.to_owned(), bytes).is_some() {
                    return Err(Fault::Twice(shown(&path)));
                }
            }
            Kind::Other(kind) => return Err(Fault::Kind { path: shown(&path), kind }),
            _ => return Err(Fault::Member { path: shown(&path), what: "is no file of control data" }),
        }
    }
    let fields = files.remove("control").ok_or_else(|| Fault::Control("it is missing".into()))?;
    let script = |kind: ScriptKind| Some((kind, files.remove(kind.name())?));
    let scripts = ScriptKind::ALL.into_iter().filter_map(script).collect();
    Ok(Control { fields: parse_fields(&fields)?, scripts })
}

fn parse_fields(bytes: &[u8]) -> Result<BTreeMap<String, String>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Control("it is not UTF-8".into()))?;
    let stanza: deb822_fast::Paragraph =
        text.parse().map_err(|error: deb822_fast::Error| Fault::Control(error.to_string()))?;
    let (mut fields, mut seen) = (BTreeMap::new(), BTreeSet::new());
    for (key, value) in stanza.iter() {
        // Case does not matter in their names (Debian Policy, section 5.1).
        if !seen.insert(key.to_ascii_lowercase()) {
            return Err(Fault::Control(format!("field {} stands twice", key.escape_debug())));
        }
        fields.insert(key.to_owned(), value.to_owned());
    }
    for key in ["Package", "Version", "Architecture"] {
        if !fields.contains_key(key) {
            return Err(Fault::Control(format!("it has no field {key}")));
        }
    }
    Ok(fields)
}
