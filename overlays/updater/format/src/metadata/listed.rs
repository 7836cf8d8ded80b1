//! How one file vouches for another: version, length, hashes (TUF 4.4, 4.6).

use crate::digest::{Digest, hex, sha512, to_hex};
use crate::error::Error;
use crate::fields::Field;
use crate::json::Value;

/// Hashes of a file. All that are listed are checked; an algorithm that is not known is refused, not skipped.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hashes {
    pub sha256: Option<Digest>,
    pub sha512: Option<[u8; 64]>,
}

impl Hashes {
    pub(super) fn read(field: &Field<'_>) -> Result<Self, Error> {
        let mut hashes = Hashes::default();
        for (algorithm, hash) in field.members()? {
            match algorithm {
                "sha256" => hashes.sha256 = Some(hash.digest()?),
                "sha512" => {
                    let bytes = hex(hash.text()?).and_then(|bytes| bytes.try_into().ok());
                    hashes.sha512 =
                        Some(bytes.ok_or_else(|| hash.wrong("128 hexadecimal digits in lower case"))?);
                }
                _ => return Err(field.wrong("hashes by sha256 or sha512")),
            }
        }
        if hashes == Hashes::default() {
            return Err(field.wrong("at least one hash"));
        }
        Ok(hashes)
    }

    pub(crate) fn value(&self) -> Value {
        let sha256 = self.sha256.map(|hash| ("sha256".to_owned(), hash.to_string().into()));
        let sha512 = self.sha512.map(|hash| ("sha512".to_owned(), to_hex(&hash).into()));
        Value::Map(sha256.into_iter().chain(sha512).collect())
    }

    /// `by` is the file that lists the hashes.
    pub(crate) fn check(&self, file: &str, bytes: &[u8], by: &str) -> Result<(), Error> {
        let wrong = |algorithm, expected, seen| {
            Err(Error::Hash { file: file.to_owned(), by: by.to_owned(), algorithm, expected, seen })
        };
        if let Some(expected) = self.sha256 {
            let seen = Digest::of(bytes);
            if seen != expected {
                return wrong("sha256", expected.to_string(), seen.to_string());
            }
        }
        if let Some(expected) = self.sha512 {
            let seen = sha512(bytes);
            if seen != expected {
                return wrong("sha512", to_hex(&expected), to_hex(&seen));
            }
        }
        Ok(())
    }
}

/// What timestamp.json says of the snapshot, and snapshot.json of the targets (METAFILES).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    pub version: u64,
    /// Bytes.
    pub length: Option<u64>,
    pub hashes: Option<Hashes>,
}

impl Meta {
    /// Of a file that was just made.
    pub fn of(version: u64, bytes: &[u8]) -> Self {
        let hashes = Hashes { sha256: Some(Digest::of(bytes)), sha512: None };
        Meta { version, length: Some(bytes.len() as u64), hashes: Some(hashes) }
    }

    pub(crate) fn read(field: &Field<'_>) -> Result<Self, Error> {
        Ok(Meta {
            version: field.get("version")?.number(1..=u64::MAX)?,
            length: field.optional("length")?.map(|length| length.number(1..=u64::MAX)).transpose()?,
            hashes: field.optional("hashes")?.map(|hashes| Hashes::read(&hashes)).transpose()?,
        })
    }

    pub(crate) fn value(&self) -> Value {
        let version = Some(("version".to_owned(), Value::from(self.version)));
        let length = self.length.map(|length| ("length".to_owned(), Value::from(length)));
        let hashes = self.hashes.as_ref().map(|hashes| ("hashes".to_owned(), hashes.value()));
        Value::Map([version, length, hashes].into_iter().flatten().collect())
    }

    pub(crate) fn check(&self, file: &str, bytes: &[u8], by: &str) -> Result<(), Error> {
        check_length(self.length, file, bytes, by)?;
        self.hashes.as_ref().map_or(Ok(()), |hashes| hashes.check(file, bytes, by))
    }
}

pub(super) fn check_length(length: Option<u64>, file: &str, bytes: &[u8], by: &str) -> Result<(), Error> {
    let seen = bytes.len() as u64;
    match length {
        Some(expected) if expected != seen => {
            Err(Error::Length { file: file.to_owned(), by: by.to_owned(), expected, seen })
        }
        _ => Ok(()),
    }
}
