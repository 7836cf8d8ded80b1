//! root.json: which keys may sign what (TUF 4.3).

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::hex;
use crate::error::Error;
use crate::fields::{Field, shown};
use crate::key::{KeyId, PublicKey};

use super::envelope::keyid;
use super::{Body, Header, RoleName, SignedPart};

/// Who signs for a role, and how many of them must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub keyids: BTreeSet<KeyId>,
    pub threshold: u64,
}

/// The signed part of root.json.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    header: Header,
    keys: BTreeMap<KeyId, PublicKey>,
    roles: BTreeMap<RoleName, Role>,
}

impl Root {
    pub fn key(&self, id: &KeyId) -> Option<&PublicKey> {
        self.keys.get(id)
    }

    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &PublicKey)> {
        self.keys.iter()
    }

    pub fn role(&self, name: RoleName) -> &Role {
        // The reader has seen to it that all four are there.
        &self.roles[&name]
    }
}

impl Body for Root {
    const ROLE: RoleName = RoleName::Root;

    fn header(&self) -> &Header {
        &self.header
    }

    fn read(SignedPart(signed): &SignedPart<'_>, header: Header) -> Result<Self, Error> {
        let consistent = signed.optional("consistent_snapshot")?.map(|field| field.bool()).transpose()?;
        if consistent != Some(true) {
            return Err(Error::Unsupported {
                file: RoleName::Root.file(header.version),
                what: "consistent_snapshot is not true".to_owned(),
                help: "publish with consistent snapshots: else a copy made while it changes is read as damaged",
            });
        }
        let keys = keys(&signed.get("keys")?, &RoleName::Root.file(header.version))?;
        let field = signed.get("roles")?;
        let mut roles = BTreeMap::new();
        for (name, entry) in field.members()? {
            let known = RoleName::ALL.into_iter().find(|role| role.as_str() == name);
            let known =
                known.ok_or_else(|| field.wrong("only the roles root, timestamp, snapshot and targets"))?;
            roles.insert(known, role(&entry, &keys)?);
        }
        for name in RoleName::ALL {
            if !roles.contains_key(&name) {
                return Err(field.wrong(format!("a role {}", name.as_str())));
            }
        }
        Ok(Root { header, keys, roles })
    }
}

fn keys(field: &Field<'_>, file: &str) -> Result<BTreeMap<KeyId, PublicKey>, Error> {
    let mut keys = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (id, entry) in field.members()? {
        if id.is_empty() || id.len() > 128 {
            return Err(entry.wrong("a key id of 1 to 128 bytes"));
        }
        let (kind, scheme) = (entry.get("keytype")?.text()?, entry.get("scheme")?.text()?);
        if (kind, scheme) != ("ed25519", "ed25519") {
            return Err(Error::Unsupported {
                file: file.to_owned(),
                what: format!("key {} is of type {}, scheme {}", shown(id), shown(kind), shown(scheme)),
                help: "use ed25519 keys only: devices can check no others",
            });
        }
        let public = entry.get("keyval")?.get("public")?;
        let bytes = hex(public.text()?).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = bytes.and_then(|bytes| PublicKey::from_bytes(&bytes));
        let key = key.ok_or_else(|| public.wrong("the 64 hexadecimal digits of an ed25519 key"))?;
        // Else one key could sign twice towards a threshold.
        if !seen.insert(key.to_bytes()) {
            return Err(public.wrong("each key under one id"));
        }
        keys.insert(KeyId(id.to_owned()), key);
    }
    Ok(keys)
}

fn role(field: &Field<'_>, keys: &BTreeMap<KeyId, PublicKey>) -> Result<Role, Error> {
    let mut keyids = BTreeSet::new();
    for entry in field.get("keyids")?.list()? {
        let id = keyid(&entry)?;
        if !keys.contains_key(&id) {
            return Err(entry.wrong("the id of a key that is listed in keys"));
        }
        if !keyids.insert(id) {
            return Err(entry.wrong("each key id once"));
        }
    }
    let threshold = field.get("threshold")?.number(1..=u64::MAX)?;
    if threshold > keyids.len() as u64 {
        return Err(field
            .get("threshold")?
            .wrong(format!("at most {}, the number of its keys", keyids.len())));
    }
    Ok(Role { keyids, threshold })
}
