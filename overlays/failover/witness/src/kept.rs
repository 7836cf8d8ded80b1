use geminios_failover_core::Record;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{EMPTY, Held, tag};

/// What a register is as text: the same in the service's files, in an S3 object and in a shared folder.
///
/// Two lines: JSON, and the SHA-256 of that JSON, which shows a file that was cut or changed by accident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    format: u32,
    pub site: String,
    #[serde(with = "tag::text")]
    pub tag: u64,
    pub record: Record,
}

const FORMAT: u32 = 1;
/// More than any has.
pub(crate) const MOST: usize = 4096;

impl Kept {
    pub fn new(site: &str, held: Held) -> Self {
        Kept { format: FORMAT, site: site.to_owned(), tag: held.tag, record: held.record }
    }

    /// That of a register which is being made. None if the system gives no randomness.
    pub fn empty(site: &str) -> Option<Self> {
        Some(Kept::new(site, Held { tag: tag::first()?, record: EMPTY }))
    }

    pub fn held(&self) -> Held {
        Held { tag: self.tag, record: self.record }
    }

    pub fn to_text(&self) -> String {
        // A struct of numbers and a name: serde_json has no reason to fail.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{json}\n{}\n", hex::encode(Sha256::digest(&json)))
    }

    /// Reads the text of a site's register; the error says what is wrong.
    pub fn parse(site: &str, text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is no text".to_owned())?;
        let whole = text.strip_suffix('\n').and_then(|text| text.split_once('\n'));
        let (json, sum) = whole.ok_or(if text.is_empty() { "it has no bytes" } else { "it is cut off" })?;
        if hex::encode(Sha256::digest(json)) != sum {
            return Err("its checksum is wrong".to_owned());
        }
        let kept: Kept = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if kept.format != FORMAT {
            return Err(format!("it has format {}, and this program knows {FORMAT}", kept.format));
        }
        if kept.site != site {
            return Err(format!("it is that of the site `{}`, not of `{site}`", kept.site));
        }
        Ok(kept)
    }
}

/// Whether this can be a site's name: it is part of file names.
pub(crate) fn is_site(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(good) && !name.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cut_and_each_changed_byte_is_noticed() {
        let text = Kept::empty("hut").unwrap().to_text().into_bytes();
        assert!(Kept::parse("hut", &text).is_ok());
        for at in 0..text.len() {
            assert!(Kept::parse("hut", &text[..at]).is_err(), "cut at {at}");
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert!(Kept::parse("hut", &changed).is_err(), "changed at {at}");
        }
        assert!(Kept::parse("barn", &text).unwrap_err().contains("not of `barn`"));
    }

    #[test]
    fn names_of_sites() {
        for good in ["a", "hut-7", "0"] {
            assert!(is_site(good), "{good}");
        }
        for bad in ["", "..", "a/b", "A", "-a", "a.b", "ä", &"a".repeat(64)] {
            assert!(!is_site(bad), "{bad}");
        }
    }
}
