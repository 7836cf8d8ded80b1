use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;

use geminios_fetch::{Blob, Steps, Store, StoreError};
use geminios_model::Digest;

use crate::archive::{Parts, parse_ar};
use crate::control::{Control, parse_control};
use crate::error::{Fault, UnpackError};
use crate::members::{Limits, Member, members_of};

/// A package, unpacked.
#[derive(Clone, Debug)]
pub struct Package {
    pub control: Control,
    /// In the order of the archive.
    pub members: Vec<Member>,
    /// The unpacked data archive; the offsets of members are into it.
    pub data: Blob,
}

/// Unpacks a .deb. The unpacked archive goes into the store and is found there the next time.
///
/// # Errors
/// What dpkg-deb would not have written, by the name of its member; the store cannot be written.
pub fn unpack(store: &Store, steps: &Steps, blob: &Blob) -> Result<Package, UnpackError> {
    let hostile = UnpackError::of(blob);
    let open = || -> Result<_, Fault> {
        let mut deb = BufReader::new(blob.open()?);
        let parts = parse_ar(&mut deb)?;
        let control = parse_control(parts.control.reader(&mut deb)?)?;
        Ok((parts, control))
    };
    let (parts, control) = open().map_err(&hostile)?;
    let data = match known(store, steps, blob)? {
        Some(data) => data,
        None => expand(store, steps, blob, &parts)?,
    };
    let limits = Limits::for_size(parts.data.size);
    let members = data
        .open()
        .map_err(Fault::from)
        .and_then(|file| members_of(file, limits))
        .map_err(&hostile)?;
    Ok(Package { control, members, data })
}

/// The step that remembers which unpacked archive belongs to a .deb.
const STEP: &str = "unpack";
/// The file in the step's folder with the digest of the unpacked archive.
const NOTE: &str = "data";

fn known(store: &Store, steps: &Steps, blob: &Blob) -> Result<Option<Blob>, StoreError> {
    let noted = steps.get(STEP, &blob.digest).and_then(|dir| fs::read_to_string(dir.join(NOTE)).ok());
    match noted.and_then(|text| text.parse::<Digest>().ok()) {
        Some(digest) => store.get(&digest),
        None => Ok(None),
    }
}

fn expand(store: &Store, steps: &Steps, blob: &Blob, parts: &Parts) -> Result<Blob, UnpackError> {
    let hostile = UnpackError::of(blob);
    let limit = Limits::for_size(parts.data.size).bytes;
    let deb = blob.open().map_err(Fault::from).map_err(&hostile)?;
    let packed = parts.data.reader(deb).map_err(&hostile)?;
    let mut limited = Limited { inner: packed, left: limit, over: false };
    let data = match store.put(&mut limited, None) {
        _ if limited.over => return Err(hostile(Fault::TooLarge { limit })),
        Err(StoreError::Source(error)) => return Err(hostile(Fault::Broken(error))),
        other => other?,
    };
    steps.put(STEP, &blob.digest, |dir: &Path| -> Result<(), UnpackError> {
        fs::write(dir.join(NOTE), data.digest.to_string())
            .map_err(|error| StoreError::Io { path: dir.to_owned(), error }.into())
    })?;
    Ok(data)
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
