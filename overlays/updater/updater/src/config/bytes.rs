//! Amounts of bytes as people write them.

const UNITS: [(&str, u64); 8] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Of `500 MiB`. None if it is no amount, or none above zero.
pub fn amount(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ')?;
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = if digits { number.parse().ok()? } else { return None };
    number.checked_mul(*unit).filter(|bytes| *bytes > 0)
}

/// `12.3 MiB`.
pub fn shown(bytes: u64) -> String {
    let (unit, size) = match bytes {
        0..=1023 => return format!("{bytes} B"),
        1024..=1_048_575 => ("KiB", 1 << 10),
        1_048_576..=1_073_741_823 => ("MiB", 1 << 20),
        _ => ("GiB", 1_u64 << 30),
    };
    // Rounded up: nobody is to find more fetched than was said.
    let tenths = bytes.saturating_mul(10).div_ceil(size);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let table = [
            ("500 MiB", Some(500 << 20)),
            ("1 GB", Some(1_000_000_000)),
            ("17 B", Some(17)),
            ("0 B", None),
            ("500MiB", None),
            ("MiB", None),
            ("-1 MiB", None),
            ("1.5 MiB", None),
            ("+1 MiB", None),
            ("99999999999999999 GiB", None),
            ("5 mib", None),
        ];
        for (text, expected) in table {
            assert_eq!(amount(text), expected, "{text}");
        }
    }

    #[test]
    fn as_people_read_them() {
        let seen = [0, 1023, 1024, 1_500_000, 3 << 30].map(shown);
        assert_eq!(seen, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "3.0 GiB"]);
    }
}
