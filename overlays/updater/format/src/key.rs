//! Keys: ed25519 (TUF 4.2.2, keytype and scheme `ed25519`).

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::{Digest, to_hex};
use crate::json::Value;

/// How a file calls a key: any text that is unique within one root (TUF 4.2.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    /// Its first 16 characters: enough to tell the keys of one site apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(16).collect::<String>().escape_debug().fmt(f)
    }
}

/// The public half of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// None if the bytes are no point of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<Self> {
        VerifyingKey::from_bytes(bytes).ok().map(PublicKey)
    }

    /// The 32 bytes of RFC 8032.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// As in `keys` of root.json.
    pub fn value(&self) -> Value {
        Value::from([
            ("keytype", "ed25519".into()),
            ("keyval", Value::from([("public", to_hex(&self.to_bytes()).into())])),
            ("scheme", "ed25519".into()),
        ])
    }

    /// The SHA-256 of the canonical form, as securesystemslib computes it. Files by others may call it otherwise.
    pub fn id(&self) -> KeyId {
        KeyId(Digest::of(&self.value().canonical()).to_string())
    }

    /// Strictly: the key and the signature's point must not be of small order, else one signature could fit many messages.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.to_bytes()))
    }
}
