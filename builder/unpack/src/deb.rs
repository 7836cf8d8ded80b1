//! A whole package.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;

use geminios_fetch::{Blob, Steps, Store, StoreError};
use geminios_model::Digest;

use crate::archive::{Part, parse_ar};
use crate::control::{Control, parse_control};
use crate::error::{Fault, UnpackError};
use crate::members::{Limits, Member, members_of};

/// The step that remembers which unpacked archive belongs to a .deb.
const STEP: &str = "unpack";
/// The file in the step's folder with the digest of the unpacked archive.
const NOTE: &str = "data";

/// A package, unpacked.
#[derive(Clone, Debug)]
pub struct Package {
    pub control: Control,
    /// In the order of the archive.
    pub members: Vec<Member>,
    /// The unpacked data archive; the offsets of members are into it.
    pub data: Blob,
}

/// Unpacks a .deb. The unpacked archive goes into the store and is found there the next time. Any number of threads
/// may unpack at once.
///
/// # Errors
/// What dpkg-deb would not have written, by the name of its member; the store cannot be written.
pub fn unpack(store: &Store, steps: &Steps, blob: &Blob) -> Result<Package, UnpackError> {
    let open = || -> Result<_, Fault> {
        let mut deb = BufReader::new(blob.open()?);
        let parts = parse_ar(&mut deb)?;
        Ok((parse_control(parts.control.reader(&mut deb)?)?, parts.data))
    };
    let (control, part) = open().map_err(|fault| UnpackError::new(blob, None, fault))?;
    let hostile = |fault| UnpackError::new(blob, Some(&control), fault);
    let limits = Limits::for_size(part.size);
    let known = known(store, steps, blob)?;
    let is_known = known.is_some();
    let data = match known {
        Some(data) => data,
        None => expand(store, blob, &part, limits.bytes, &hostile)?,
    };
    let members =
        data.open().map_err(Fault::from).and_then(|file| members_of(file, limits)).map_err(hostile)?;
    if !is_known {
        remember(steps, blob, &data)?;
    }
    Ok(Package { control, members, data })
}

fn known(store: &Store, steps: &Steps, blob: &Blob) -> Result<Option<Blob>, StoreError> {
    let noted = steps.get(STEP, &blob.digest).and_then(|dir| fs::read_to_string(dir.join(NOTE)).ok());
    match noted.and_then(|text| text.parse::<Digest>().ok()) {
        Some(digest) => store.get(&digest),
        None => Ok(None),
    }
}

fn remember(steps: &Steps, blob: &Blob, data: &Blob) -> Result<(), UnpackError> {
    steps.put(STEP, &blob.digest, |dir: &Path| -> Result<(), UnpackError> {
        let note = dir.join(NOTE);
        fs::write(&note, data.digest.to_string()).map_err(|error| StoreError::Io { path: note, error }.into())
    })?;
    Ok(())
}

fn expand(
    store: &Store,
    blob: &Blob,
    part: &Part,
    limit: u64,
    hostile: &impl Fn(Fault) -> UnpackError,
) -> Result<Blob, UnpackError> {
    let packed = blob.open().map_err(Fault::from).and_then(|deb| part.reader(deb)).map_err(hostile)?;
    let mut limited = Limited { inner: packed, left: limit, over: false };
    match store.put(&mut limited, None) {
        _ if limited.over => Err(hostile(Fault::TooLarge { limit })),
        Err(StoreError::Source(error)) => Err(hostile(Fault::within("data.tar")(Fault::Broken(error)))),
        other => Ok(other?),
    }
}

/// Fails instead of giving more bytes than allowed.
struct Limited<R> {
    inner: R,
    left: u64,
    over: bool,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => {
                self.over = true;
                return Err(io::Error::other("too many bytes"));
            }
        }
        Ok(n)
    }
}
