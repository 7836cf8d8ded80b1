//! SHA-256 sums and root hashes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sha256Sum(pub [u8; 32]);

impl Sha256Sum {
    pub fn of(bytes: &[u8]) -> Self {
        Sha256Sum(Sha256::digest(bytes).into())
    }
}

/// The root hash of a dm-verity tree. It names a system: no two differ in a byte and share it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RootHash(pub [u8; 32]);

impl RootHash {
    /// PARTUUID of the root partition, in the order of its text: the first 128 bits (Discoverable Partitions
    /// Specification).
    pub fn root_uuid(&self) -> [u8; 16] {
        std::array::from_fn(|i| self.0[i])
    }

    /// PARTUUID of the verity partition: the last 128 bits.
    pub fn verity_uuid(&self) -> [u8; 16] {
        std::array::from_fn(|i| self.0[16 + i])
    }

    /// The hash that two PARTUUIDs spell.
    pub fn of_uuids(root: [u8; 16], verity: [u8; 16]) -> Self {
        RootHash(std::array::from_fn(|i| if i < 16 { root[i] } else { verity[i - 16] }))
    }
}

/// Not 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not 64 lower-case hexadecimal digits")]
pub struct NoDigest(String);

fn parse(text: &str) -> Result<[u8; 32], NoDigest> {
    let wrong = || NoDigest(text.chars().take(80).collect());
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(wrong());
    }
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

macro_rules! hex {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = NoDigest;
            fn from_str(text: &str) -> Result<Self, NoDigest> {
                parse(text).map($name)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NoDigest;
            fn try_from(text: String) -> Result<Self, NoDigest> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(digest: $name) -> String {
                digest.to_string()
            }
        }
    };
}
hex!(Sha256Sum);
hex!(RootHash);
