//! snapshot.json: which versions belong together (TUF 4.4).

use std::collections::BTreeMap;

use crate::error::Error;

use super::{Body, Header, Meta, RoleName, SignedPart};

/// The signed part of snapshot.json. Other files than targets.json may be listed; they are never fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    header: Header,
    meta: BTreeMap<String, Meta>,
    targets: Meta,
}

impl Snapshot {
    pub fn targets(&self) -> &Meta {
        &self.targets
    }

    pub fn versions(&self) -> BTreeMap<String, u64> {
        self.meta.iter().map(|(name, meta)| (name.clone(), meta.version)).collect()
    }
}

impl Body for Snapshot {
    const ROLE: RoleName = RoleName::Snapshot;

    fn header(&self) -> &Header {
        &self.header
    }

    fn read(SignedPart(signed): &SignedPart<'_>, header: Header) -> Result<Self, Error> {
        let field = signed.get("meta")?;
        let targets = Meta::read(&field.get("targets.json")?)?;
        let entries = field.members()?;
        if entries.len() > MOST {
            return Err(field.wrong(format!("at most {MOST} files")));
        }
        let meta = entries.into_iter().map(|(name, entry)| Ok((name.to_owned(), Meta::read(&entry)?)));
        Ok(Snapshot { header, meta: meta.collect::<Result<_, Error>>()?, targets })
    }
}

/// They are kept in the state of every device.
const MOST: usize = 256;
