use std::fmt;
use std::path::Path;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// A site's key: 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; 32]);

impl Key {
    /// A new one. None if the system gives no randomness.
    pub fn random() -> Option<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).ok()?;
        Some(Key(key))
    }

    /// From a file with its digits; the error names the file and what is wrong.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        Self::parse(text.trim()).ok_or_else(|| format!("{shown}: a key has 64 hexadecimal digits"))
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(text, &mut key).ok()?;
        Some(Key(key))
    }

    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// HMAC-SHA256 of the parts, one after the other.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.keyed(parts).finalize().into_bytes().into()
    }

    /// Whether this is their HMAC, in the same time for each wrong one.
    pub fn is_mac(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.keyed(parts).verify_slice(mac).is_ok()
    }

    fn keyed(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        mac_with(&self.0, parts)
    }
}

/// HMAC-SHA256 takes a key of any length (RFC 2104 section 3).
pub(crate) fn mac_with(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    for part in parts {
        mac.update(part);
    }
    mac
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(…)")
    }
}
