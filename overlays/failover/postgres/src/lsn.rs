use std::fmt;

/// A place in the write-ahead log, in bytes. Printed as PostgreSQL does: `1A/3F000028`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// Bytes of a file of the log, as initdb makes them; the driver refuses clusters with others.
pub(crate) const SEGMENT: u64 = 16 << 20;

impl Lsn {
    /// Reads what PostgreSQL printed.
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.trim().split_once('/')?;
        let half = |text| u32::from_str_radix(text, 16).ok().map(u64::from);
        Some(Lsn(half(high)? << 32 | half(low)?))
    }

    /// The number of the file that holds it.
    pub(crate) fn segment(self) -> u64 {
        self.0 / SEGMENT
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 as u32)
    }
}

/// Timeline and number of a file of the log, from its name of 24 digits.
pub(crate) fn segment_of_file(name: &str) -> Option<(u32, u64)> {
    if name.len() != 24 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let part = |range| u64::from_str_radix(&name[range], 16).ok();
    Some((part(0..8)? as u32, part(8..16)? * ((1 << 32) / SEGMENT) + part(16..24)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read() {
        let lsn = Lsn::parse("1A/3F000028").unwrap();
        assert_eq!(lsn.to_string(), "1A/3F000028");
        assert_eq!(segment_of_file("000000020000001A0000003F"), Some((2, lsn.segment())));
        assert_eq!(segment_of_file("00000002.history"), None);
    }
}
