//! Making metadata: from plain values to a file with enough signatures.
//!
//! [`Unsigned`] → signatures come from outside, one by one, perhaps over several machines → [`Unsigned::finish`] gives the
//! file, once all whose signatures are needed have signed. What a client would refuse is refused here first.

mod roles;

pub use roles::{RootRole, TargetEntry, root, snapshot, targets, timestamp};

use std::collections::BTreeMap;

use crate::error::Error;
use crate::json::Value;
use crate::key::{KeyId, PublicKey};
use crate::metadata::{Body, Envelope, Root};

use crate::digest::to_hex;

/// Metadata that lacks signatures.
#[derive(Clone, Debug)]
pub struct Unsigned<T> {
    signed: Value,
    envelope: Envelope<T>,
    signatures: BTreeMap<KeyId, Vec<u8>>,
}

impl<T: Body> Unsigned<T> {
    pub(crate) fn new(signed: Value) -> Result<Self, Error> {
        let file = assemble(&signed, &BTreeMap::new());
        Self::resume(&format!("new {}.json", T::ROLE.as_str()), &file)
    }

    /// Of a file that has some of its signatures, to add more (TUF 6.1: a new root is also signed by the old keys).
    pub fn resume(name: &str, file: &[u8]) -> Result<Self, Error> {
        let envelope = Envelope::parse(name, file)?;
        let value = crate::json::parse(file, &T::ROLE.limits());
        let signed = match value {
            Ok(Value::Map(mut top)) => top.remove("signed").unwrap_or(Value::Null),
            _ => Value::Null,
        };
        let signatures = envelope.signatures().clone();
        Ok(Unsigned { signed, envelope, signatures })
    }

    /// What the file will say.
    pub fn body(&self) -> &T {
        self.envelope.unverified()
    }

    /// The bytes that a key signs.
    pub fn signing_bytes(&self) -> Vec<u8> {
        self.signed.canonical()
    }

    /// Adds a signature by the key that a root calls `id`. One that does not fit is refused: it would be found out by devices.
    pub fn add(&mut self, id: &KeyId, key: &PublicKey, signature: &[u8; 64]) -> Result<(), Error> {
        if !key.verifies(&self.signing_bytes(), signature) {
            let name = T::ROLE.file(self.body().header().version);
            return Err(Error::inconsistent(
                &name,
                format!("the signature by key {id} does not fit what is to be signed"),
            ));
        }
        self.signatures.insert(id.clone(), signature.to_vec());
        Ok(())
    }

    /// The file as it is, to carry to whoever signs next.
    pub fn unfinished(&self) -> Vec<u8> {
        assemble(&self.signed, &self.signatures)
    }

    /// The file, if `root` finds enough signatures.
    pub fn finish(&self, root: &Root) -> Result<Vec<u8>, Error> {
        let file = self.unfinished();
        Envelope::<T>::parse(&T::ROLE.file(self.body().header().version), &file)?.signers(root)?;
        Ok(file)
    }
}

impl Unsigned<Root> {
    /// The file of a root: signed by its own keys and, but for the first one, by those of the root before it (TUF 5.3.4).
    pub fn finish_root(&self, before: Option<&Root>) -> Result<Vec<u8>, Error> {
        let (version, expected) =
            (self.body().header().version, before.map_or(1, |root| root.header().version + 1));
        if version != expected {
            let because = "as roots follow one by one";
            return Err(Error::Version { file: Root::ROLE.file(version), expected, seen: version, because });
        }
        if let Some(before) = before {
            self.finish(before)?;
        }
        self.finish(self.body())
    }
}

fn assemble(signed: &Value, signatures: &BTreeMap<KeyId, Vec<u8>>) -> Vec<u8> {
    let signature = |(id, bytes): (&KeyId, &Vec<u8>)| {
        Value::from([("keyid", id.0.as_str().into()), ("sig", to_hex(bytes).into())])
    };
    let signatures = Value::List(signatures.iter().map(signature).collect());
    Value::from([("signatures", signatures), ("signed", signed.clone())]).file()
}
