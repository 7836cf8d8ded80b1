//! Names: of targets (paths within a repository) and of profiles, boards, architectures and channels.

use std::fmt;

use semver::Version;

/// Most bytes of a target's name.
pub const NAME_BYTES: usize = 255;

/// Most bytes of a label and of a version.
pub const LABEL_BYTES: usize = 63;

/// A relative path that means the same as a file's name, in a URL and on FAT: ASCII letters and digits, `.`, `_`, `+`, `-`,
/// in parts divided by `/`, none of them empty, `.` or `..`, none beginning with `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetName(String);

impl TargetName {
    /// The error is what the name breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        if text.is_empty() || text.len() > NAME_BYTES {
            return Err("a path of 1 to 255 bytes");
        }
        for part in text.split('/') {
            if part.is_empty() || part == "." || part == ".." {
                return Err("a relative path without empty parts, . and ..");
            }
            if part.starts_with('-') || !part.chars().all(allowed) {
                return Err("a path of ASCII letters, digits, . _ + - and /, no part beginning with -");
            }
        }
        Ok(TargetName(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `a/b/HASH.c` (TUF 6.2.1: with consistent snapshots the file's name begins with its hash).
    pub(crate) fn with_hash(&self, hash: &str) -> String {
        match self.0.rsplit_once('/') {
            Some((folder, file)) => format!("{folder}/{hash}.{file}"),
            None => format!("{hash}.{}", self.0),
        }
    }
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name of a profile, board, architecture or channel: lower-case ASCII letters, digits, `-`, `_` and `.`,
/// beginning with a letter or digit.
pub fn is_label(text: &str) -> bool {
    let first = text.as_bytes().first().is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let rest = text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_.".contains(&c));
    first && rest && text.len() <= LABEL_BYTES
}

/// A version of a release: MAJOR.MINOR.PATCH, with `-rc.1` and the like before it (Semantic Versioning 2.0.0, its order).
/// Build metadata (`+…`) is refused: it has no place in the order.
pub fn version(text: &str) -> Option<Version> {
    let version = Version::parse(text).ok()?;
    (version.build.is_empty() && text.len() <= LABEL_BYTES).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_tricks_are_no_names() {
        for wrong in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "a/./b",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "a\0b",
            "a%2fb",
            "a b",
            "a\nb",
            "ä",
            "C:x",
            "-rf",
            "a/-x",
            "~/x",
            "a?b",
            "a#b",
            "a:b",
            "a*",
            "a\u{202e}b",
            "a\u{2215}b",
        ] {
            assert!(TargetName::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(TargetName::parse(&"a".repeat(256)).is_err());
        for right in ["a", "a/b.c", "x86-edge/pc/2026.11.1/release.json", "a/.b", "a..b", "a+b"] {
            assert_eq!(TargetName::parse(right).unwrap().as_str(), right);
        }
        assert_eq!(TargetName::parse("a/b/c.d").unwrap().with_hash("00"), "a/b/00.c.d");
        assert_eq!(TargetName::parse("c.d").unwrap().with_hash("00"), "00.c.d");
    }

    #[test]
    fn labels() {
        assert!(["x86-edge", "a", "0", "rpi4.b_c"].iter().all(|label| is_label(label)));
        assert!(["", "-a", ".", "..", ".a", "A", "a/b", "a b", "ä"].iter().all(|label| !is_label(label)));
    }

    #[test]
    fn versions_are_ordered_as_semver_says() {
        let sorted = ["0.9.0", "1.0.0-alpha", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.0.10", "2026.11.1"];
        let versions: Vec<Version> = sorted.iter().map(|text| version(text).unwrap()).collect();
        assert!(versions.windows(2).all(|pair| pair[0] < pair[1]));
        for wrong in
            ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0+x", "v1.0.0", "1.0.0-", "1.0.0-../x", " 1.0.0"]
        {
            assert_eq!(version(wrong), None, "{wrong}");
        }
    }
}
