//! The kernel command line: which root to boot. Pure.

use core::fmt;
use core::time::Duration;

use alloc::string::String;

use crate::gpt::Guid;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// `roothash=`: the root of the hash tree.
    pub root_hash: RootHash,
    /// `geminios.fail_delay=`: how long a failure stays on the screen before the reboot.
    pub fail_delay: Duration,
}

/// How long a failure stays on the screen unless the command line says otherwise.
pub const FAIL_DELAY: Duration = Duration::from_secs(8);

/// A SHA-256 root hash of dm-verity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootHash([u8; 32]);

impl RootHash {
    /// PARTUUID of the root partition: the first 128 bits (Discoverable Partitions Specification).
    pub fn root_uuid(&self) -> Guid {
        self.half(0)
    }

    /// PARTUUID of the verity partition: the last 128 bits.
    pub fn verity_uuid(&self) -> Guid {
        self.half(16)
    }

    fn half(&self, from: usize) -> Guid {
        Guid::from_text_order(core::array::from_fn(|i| self.0[from + i]))
    }
}

impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a command line cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub enum CmdlineError {
    NoRootHash,
    BadRootHash(String),
    TwoRootHashes,
}

impl fmt::Display for CmdlineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CmdlineError::NoRootHash => f.write_str("roothash= is missing from the kernel command line"),
            CmdlineError::BadRootHash(text) => write!(f, "roothash={text} is not 64 hexadecimal digits"),
            CmdlineError::TwoRootHashes => {
                f.write_str("the kernel command line has two different roothash= words")
            }
        }
    }
}

/// Reads /proc/cmdline.
pub fn parse(text: &str) -> Result<Options, CmdlineError> {
    let mut root_hash = None;
    for value in values(text, "roothash=") {
        let hash = parse_hash(value)
            .ok_or_else(|| CmdlineError::BadRootHash(value.escape_debug().take(80).collect()))?;
        if root_hash.is_some_and(|earlier| earlier != hash) {
            return Err(CmdlineError::TwoRootHashes);
        }
        root_hash = Some(hash);
    }
    let root_hash = root_hash.ok_or(CmdlineError::NoRootHash)?;
    Ok(Options { root_hash, fail_delay: fail_delay(text) })
}

/// The delay alone, for failures of the command line itself.
pub fn fail_delay(text: &str) -> Duration {
    let seconds = values(text, "geminios.fail_delay=").last().and_then(|value| value.parse().ok());
    seconds.map_or(FAIL_DELAY, |seconds: u8| Duration::from_secs(seconds.into()))
}

/// Values of `key` among the words before `--`, which separates what is init's own (kernel-parameters.rst).
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let words = text.split_ascii_whitespace().take_while(|word| *word != "--");
    words.filter_map(move |word| word.trim_matches('"').strip_prefix(key))
}

fn parse_hash(text: &str) -> Option<RootHash> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| (pair[at] as char).to_digit(16);
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Some(RootHash(hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";

    #[test]
    fn a_usual_line() {
        let options = parse(&format!("console=ttyS0 quiet roothash={HASH} geminios.fail_delay=1\n")).unwrap();
        assert_eq!(options.root_hash.to_string(), HASH);
        assert_eq!(options.fail_delay, Duration::from_secs(1));
    }

    #[test]
    fn partition_ids_are_the_two_halves_of_the_root_hash() {
        let hash = parse(&format!("roothash={HASH}")).unwrap().root_hash;
        assert_eq!(hash.root_uuid().to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(hash.verity_uuid().to_string(), "10213243-5465-7687-98a9-bacbdcedfe0f");
    }

    #[test]
    fn lines_that_name_no_root() {
        let bad = |text: &str| Err(CmdlineError::BadRootHash(text.into()));
        assert_eq!(parse("console=ttyS0"), Err(CmdlineError::NoRootHash));
        assert_eq!(parse(""), Err(CmdlineError::NoRootHash));
        assert_eq!(parse("roothash="), bad(""));
        assert_eq!(parse("roothash=00ff"), bad("00ff"));
        assert_eq!(parse(&format!("roothash={HASH}00")), bad(&format!("{HASH}00")));
        assert_eq!(parse(&format!("roothash={}", "é".repeat(32))), bad(&"é".repeat(32)));
        assert_eq!(parse(&format!("-- roothash={HASH}")), Err(CmdlineError::NoRootHash));
        let two = format!("roothash={HASH} roothash={}", HASH.replace('0', "1"));
        assert_eq!(parse(&two), Err(CmdlineError::TwoRootHashes));
        assert!(parse(&format!("roothash={HASH} roothash={HASH}")).is_ok());
    }

    #[test]
    fn a_delay_that_is_no_number_is_the_usual_one() {
        assert_eq!(fail_delay("geminios.fail_delay=never"), FAIL_DELAY);
        assert_eq!(fail_delay("geminios.fail_delay=99999"), FAIL_DELAY);
        assert_eq!(fail_delay("geminios.fail_delay=0"), Duration::ZERO);
    }
}
