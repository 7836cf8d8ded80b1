//! A file of metadata: a signed part and signatures over its canonical form (TUF 4.2.1).

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::hex;
use crate::error::Error;
use crate::fields::Field;
use crate::key::KeyId;

use super::{Body, RoleName, Root, SignedPart, header, parse};

/// Parsed, and not yet trusted.
#[derive(Clone, Debug)]
pub struct Envelope<T> {
    file: String,
    message: Vec<u8>,
    signatures: BTreeMap<KeyId, Vec<u8>>,
    body: T,
}

impl<T: Body> Envelope<T> {
    /// `file` is the name for messages.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        let value = parse(file, bytes, &T::ROLE.limits())?;
        let top = Field::top(file, &value);
        top.only(&["signatures", "signed"])?;
        let signatures = signatures(&top.get("signatures")?)?;
        let signed = top.get("signed")?;
        let header = header(&signed, T::ROLE)?;
        let message = signed.value.canonical();
        let body = T::read(&SignedPart(signed), header)?;
        Ok(Envelope { file: file.to_owned(), message, signatures, body })
    }

    /// The keys of the role that signed this. Fewer than the role's threshold is an error (TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3).
    ///
    /// One key counts once: ids are unique in a file and in a root, and a root may not list one key under two ids.
    pub fn signers(&self, root: &Root) -> Result<BTreeSet<KeyId>, Error> {
        let role = root.role(T::ROLE);
        let valid = |id: &&KeyId| {
            let signature = self.signatures.get(id).and_then(|bytes| bytes.as_slice().try_into().ok());
            let key = root.key(id);
            key.zip(signature).is_some_and(|(key, signature)| key.verifies(&self.message, signature))
        };
        let signers: BTreeSet<KeyId> = role.keyids.iter().filter(valid).cloned().collect();
        if (signers.len() as u64) < role.threshold {
            return Err(Error::Signatures {
                file: self.file.clone(),
                role: T::ROLE.as_str(),
                root: root.header().version,
                threshold: role.threshold,
                valid: signers.len() as u64,
                others: (self.signatures.len() - signers.len()) as u64,
            });
        }
        Ok(signers)
    }

    /// What it says, whoever says it. Loud, because only [`Envelope::signers`] makes it worth something.
    pub fn unverified(&self) -> &T {
        &self.body
    }

    /// What it says, once its signers were checked.
    pub(crate) fn into_body(self) -> T {
        self.body
    }

    pub(crate) fn signatures(&self) -> &BTreeMap<KeyId, Vec<u8>> {
        &self.signatures
    }
}

fn signatures(list: &Field<'_>) -> Result<BTreeMap<KeyId, Vec<u8>>, Error> {
    let mut signatures = BTreeMap::new();
    for entry in list.list()? {
        entry.only(&["keyid", "sig"])?;
        let id = entry.get("keyid")?;
        // Of other schemes there may be longer ones; they count for nothing.
        let sig = entry.get("sig")?;
        let bytes = hex(sig.text()?).ok_or_else(|| sig.wrong("hexadecimal digits in lower case"))?;
        if signatures.insert(keyid(&id)?, bytes).is_some() {
            return Err(id.wrong("each key id once"));
        }
    }
    Ok(signatures)
}

pub(super) fn keyid(field: &Field<'_>) -> Result<KeyId, Error> {
    let text = field.text()?;
    if text.is_empty() || text.len() > 128 {
        return Err(field.wrong("a key id of 1 to 128 bytes"));
    }
    Ok(KeyId(text.to_owned()))
}

/// The role of a file, for a tool that signs what it is given.
pub fn role_of(file: &str, bytes: &[u8]) -> Result<RoleName, Error> {
    let value = parse(file, bytes, &RoleName::Targets.limits())?;
    let kind = Field::top(file, &value).get("signed")?.get("_type")?;
    let text = kind.text()?;
    let role = RoleName::ALL.into_iter().find(|role| role.as_str() == text);
    role.ok_or_else(|| kind.wrong("root, timestamp, snapshot or targets"))
}
