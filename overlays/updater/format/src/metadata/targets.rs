//! targets.json: which files are released (TUF 4.5).

use std::collections::BTreeMap;

use crate::error::Error;
use crate::fields::Field;
use crate::json::Value;
use crate::name::TargetName;

use super::listed::check_length;
use super::{Body, Hashes, Header, RoleName, SignedPart};

/// A file that the repository vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: TargetName,
    /// Bytes.
    pub length: u64,
    pub hashes: Hashes,
    /// What the application says of it.
    pub custom: Option<Value>,
    pub(crate) path: String,
}

impl Target {
    /// Where it lies below `targets/` (TUF 5.7.3).
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether these are its bytes (TUF 5.7.3).
    pub fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        check_length(Some(self.length), self.name.as_str(), bytes, "targets.json")?;
        self.hashes.check(self.name.as_str(), bytes, "targets.json")
    }
}

/// The signed part of targets.json.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Targets {
    header: Header,
    pub targets: BTreeMap<TargetName, Target>,
}

impl Body for Targets {
    const ROLE: RoleName = RoleName::Targets;

    fn header(&self) -> &Header {
        &self.header
    }

    fn read(SignedPart(signed): &SignedPart<'_>, header: Header) -> Result<Self, Error> {
        if let Some(field) = signed.optional("delegations")? {
            no_delegations(&field, header.version)?;
        }
        let mut targets = BTreeMap::new();
        for (name, entry) in signed.get("targets")?.members()? {
            let name = TargetName::parse(name).map_err(|rule| entry.wrong(format!("as its name {rule}")))?;
            let hashes = Hashes::read(&entry.get("hashes")?)?;
            let Some(sha256) = hashes.sha256 else { return Err(entry.get("hashes")?.wrong("a sha256")) };
            let target = Target {
                path: name.with_hash(&sha256.to_string()),
                name: name.clone(),
                length: entry.get("length")?.number(0..=u64::MAX)?,
                hashes,
                custom: entry.optional("custom")?.map(|custom| custom.value.clone()),
            };
            targets.insert(name, target);
        }
        Ok(Targets { header, targets })
    }
}

/// One set of keys vouches for all that a device installs: a delegation would be a second one, and has no user here.
fn no_delegations(field: &Field<'_>, version: u64) -> Result<(), Error> {
    let none = |name| match field.optional(name)?.as_ref().map(|member| member.value) {
        None => Ok(true),
        Some(Value::List(list)) => Ok(list.is_empty()),
        Some(_) => Ok::<bool, Error>(false),
    };
    if none("roles")? && field.optional("succinct_roles")?.is_none() {
        return Ok(());
    }
    Err(Error::Unsupported {
        file: RoleName::Targets.file(version),
        what: "it delegates to other roles".to_owned(),
        help: "list all targets in targets.json itself; delegations are not followed",
    })
}
