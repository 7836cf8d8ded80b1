//! timestamp.json: which snapshot is current (TUF 4.6).

use crate::error::Error;

use super::{Body, Header, Meta, RoleName, SignedPart};

/// The signed part of timestamp.json.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    header: Header,
    pub snapshot: Meta,
}

impl Body for Timestamp {
    const ROLE: RoleName = RoleName::Timestamp;

    fn header(&self) -> &Header {
        &self.header
    }

    fn read(SignedPart(signed): &SignedPart<'_>, header: Header) -> Result<Self, Error> {
        let snapshot = Meta::read(&signed.get("meta")?.get("snapshot.json")?)?;
        Ok(Timestamp { header, snapshot })
    }
}
