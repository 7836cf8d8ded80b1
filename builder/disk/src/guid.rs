use std::fmt;
use std::str::FromStr;

use geminios_model::Digest;

/// A GUID, its bytes in the order in which it is printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid([u8; 16]);

impl Guid {
    /// From bytes in the order in which they are printed.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Guid(bytes)
    }

    /// One that follows from what `parts` say.
    pub(crate) fn derived(parts: &[&[u8]]) -> Self {
        Guid(geminios_seal::uuid_from(&Digest::of_parts(parts.iter().copied())))
    }

    /// As on disk: the first three fields little-endian (UEFI specification 2.10, appendix A).
    pub(crate) fn to_disk(self) -> [u8; 16] {
        let mut bytes = self.0;
        bytes[..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        bytes
    }

    /// From its form on disk.
    pub(crate) fn from_disk(bytes: [u8; 16]) -> Self {
        // Turning fields round twice gives them back.
        Guid(Guid(bytes).to_disk())
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&geminios_seal::uuid_text(&self.0))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Guid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.split('-').collect();
        let lengths: Vec<usize> = text.split('-').map(str::len).collect();
        match u128::from_str_radix(&digits, 16) {
            Ok(number) if lengths == [8, 4, 4, 4, 12] && digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Ok(Guid(number.to_be_bytes()))
            }
            _ => Err(format!("`{text}` is not a GUID")),
        }
    }
}
