//! Names of unified kernel images: `geminios_VERSION[+LEFT[-DONE]].efi` (Boot Loader Specification, "Boot counting").

use std::fmt;

const PREFIX: &str = "geminios_";
const SUFFIX: &str = ".efi";

/// Tries in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    pub left: u32,
    /// Absent until the boot loader has counted. Names that we write never have it: it proves that the counter moved.
    pub done: Option<u32>,
}

impl Tries {
    /// What a new entry gets.
    pub const NEW: Tries = Tries { left: 3, done: None };
    /// Last in the order of the boot loader, yet there if nothing else is.
    pub const NONE: Tries = Tries { left: 0, done: None };
}

/// A name in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UkiName {
    pub version: String,
    /// None: it needs no counting any more.
    pub tries: Option<Tries>,
}

impl UkiName {
    /// None if it is not one of ours. FAT does not tell cases apart, nor does this.
    pub fn parse(file: &str) -> Option<UkiName> {
        let lower = file.to_ascii_lowercase();
        if !lower.starts_with(PREFIX) || !lower.ends_with(SUFFIX) {
            return None;
        }
        let stem = file.get(PREFIX.len()..file.len() - SUFFIX.len())?;
        let (version, tries) = match stem.rsplit_once('+') {
            None => (stem, None),
            Some((version, counter)) => {
                let (left, done) = match counter.split_once('-') {
                    None => (counter, None),
                    Some((left, done)) => (left, Some(number(done)?)),
                };
                (version, Some(Tries { left: number(left)?, done }))
            }
        };
        valid_version(version).then(|| UkiName { version: version.to_owned(), tries })
    }
}

impl fmt::Display for UkiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.version)?;
        match self.tries {
            None => {}
            Some(Tries { left, done: None }) => write!(f, "+{left}")?,
            Some(Tries { left, done: Some(done) }) => write!(f, "+{left}-{done}")?,
        }
        f.write_str(SUFFIX)
    }
}

/// Characters of the UAPI version format that can neither be taken for a counter nor for a path.
pub fn valid_version(version: &str) -> bool {
    (1..=64).contains(&version.len())
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || b".~^-".contains(&b))
        && version.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether a file of this name that is no program was left by us. A cut while it got or lost its name can leave the 8.3
/// name alone.
pub(crate) fn may_be_ours(file: &str) -> bool {
    let lower = file.to_ascii_lowercase();
    lower.ends_with(SUFFIX) && (lower.starts_with(PREFIX) || lower.starts_with("gemini~"))
}

fn number(digits: &str) -> Option<u32> {
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_parts() {
        let table = [
            ("geminios_1.2.efi", Some(("1.2", None))),
            ("geminios_1.2+3.efi", Some(("1.2", Some((3, None))))),
            ("geminios_1.2~rc1+0-3.efi", Some(("1.2~rc1", Some((0, Some(3)))))),
            ("GEMINIOS_1+2-1.EFI", Some(("1", Some((2, Some(1)))))),
            ("geminios_1+.efi", None),
            ("geminios_1+3-.efi", None),
            ("geminios_1+3+3.efi", None),
            ("geminios_1+-3.efi", None),
            ("geminios_.efi", None),
            ("geminios_1.efi.new", None),
            ("other_1.efi", None),
        ];
        for (file, expected) in table {
            let seen = UkiName::parse(file);
            let seen = seen.as_ref().map(|n| (n.version.as_str(), n.tries.map(|t| (t.left, t.done))));
            assert_eq!(seen, expected, "{file}");
        }
    }

    #[test]
    fn a_name_is_written_as_it_was_read() {
        for name in ["geminios_1.efi", "geminios_1+3.efi", "geminios_1.2-1+0-3.efi"] {
            assert_eq!(UkiName::parse(name).unwrap().to_string(), name);
        }
    }
}
