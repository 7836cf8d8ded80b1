//! The four top-level roles' files (TUF 4): parsed strictly, not yet trusted. [`Envelope::signers`] says who signed.

mod envelope;
mod listed;
mod root;
mod snapshot;
mod targets;
mod timestamp;

pub use envelope::{Envelope, role_of};
pub use listed::{Hashes, Meta};
pub use root::{Role, Root};
pub use snapshot::Snapshot;
pub use targets::{Target, Targets};
pub use timestamp::Timestamp;

use crate::error::{Error, Problem};
use crate::fields::Field;
use crate::json::{Limits, Value};
use crate::time::UnixTime;

/// A role of the top level. There are no others here: delegations are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleName {
    Root,
    Timestamp,
    Snapshot,
    Targets,
}

impl RoleName {
    pub const ALL: [RoleName; 4] =
        [RoleName::Root, RoleName::Timestamp, RoleName::Snapshot, RoleName::Targets];

    pub fn as_str(self) -> &'static str {
        match self {
            RoleName::Root => "root",
            RoleName::Timestamp => "timestamp",
            RoleName::Snapshot => "snapshot",
            RoleName::Targets => "targets",
        }
    }

    /// Its file in a repository with consistent snapshots (TUF 6.2).
    pub fn file(self, version: u64) -> String {
        match self {
            RoleName::Timestamp => "timestamp.json".to_owned(),
            role => format!("{version}.{}.json", role.as_str()),
        }
    }

    /// Most that its file may have. The client holds one such file at a time.
    pub fn limits(self) -> Limits {
        let bytes = match self {
            RoleName::Root => 128 << 10,
            RoleName::Timestamp => 16 << 10,
            RoleName::Snapshot => 64 << 10,
            RoleName::Targets => 4 << 20,
        };
        Limits { bytes, depth: 12, values: 100_000 }
    }
}

/// What every role's signed part has (TUF 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub version: u64,
    pub expires: UnixTime,
    /// When it was signed, by the signer's clock: a member of our own, `issued`. TUF lets others ignore it (TUF 4.1).
    pub issued: Option<UnixTime>,
}

/// A kind of file: how its signed part is read.
pub trait Body: Sized {
    const ROLE: RoleName;

    fn header(&self) -> &Header;

    #[doc(hidden)]
    fn read(signed: &SignedPart<'_>, header: Header) -> Result<Self, Error>;
}

/// What a [`Body`] is read from.
pub struct SignedPart<'a>(pub(crate) Field<'a>);

/// Reads the members that all roles have.
fn header(signed: &Field<'_>, role: RoleName) -> Result<Header, Error> {
    let kind = signed.get("_type")?;
    if kind.text()? != role.as_str() {
        return Err(kind.wrong(format!("{:?}", role.as_str())));
    }
    let spec = signed.get("spec_version")?;
    let numbers: Vec<&str> = spec.text()?.split('.').collect();
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(2..=3).contains(&numbers.len()) || !numbers.iter().all(digits) || numbers[0] != "1" {
        return Err(spec.wrong("version 1 of the TUF specification, like 1.0.34"));
    }
    let version = signed.get("version")?.number(1..=u64::MAX)?;
    let expires = signed.get("expires")?.time()?;
    let issued = signed.optional("issued")?.map(|field| Ok((field.time()?, field)));
    let issued = match issued.transpose()? {
        // Later than its own expiry it can only be a mistake, and it would become the floor of every device's time.
        Some((time, field)) if time >= expires => return Err(field.wrong("a time before that of expires")),
        issued => issued.map(|(time, _)| time),
    };
    Ok(Header { version, expires, issued })
}

/// JSON within the bounds of its role.
fn parse(file: &str, bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    if bytes.len() as u64 > limits.bytes {
        return Err(Error::TooLong { file: file.to_owned(), limit: limits.bytes });
    }
    let malformed = |reason| Error::Malformed { file: file.to_owned(), problem: Problem::Json(reason) };
    crate::json::parse(bytes, limits).map_err(malformed)
}
