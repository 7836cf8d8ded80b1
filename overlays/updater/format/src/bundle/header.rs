//! Headers of POSIX ustar (IEEE Std 1003.1-2017, pax, "ustar Interchange Format").

/// Bytes of a header; contents are padded to it.
pub const BLOCK: usize = 512;

/// Most bytes of a file: what 11 octal digits can write.
pub const MOST: u64 = (1 << 33) - 1;

/// The header of a file. None if the name is too long: 100 bytes, or 155 more before a `/`.
pub fn header(name: &str, size: u64) -> Option<[u8; BLOCK]> {
    let (prefix, rest) = split(name)?;
    if size > MOST {
        return None;
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, rest.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

fn split(name: &str) -> Option<(&str, &str)> {
    if name.len() <= 100 {
        return Some(("", name));
    }
    // The first `/` that leaves a short enough rest.
    let at = name.match_indices('/').map(|(at, _)| at).find(|at| name.len() - at - 1 <= 100)?;
    (at <= 155).then(|| (&name[..at], &name[at + 1..]))
}

/// Name and size; None if this is not what [`header`] writes.
pub(super) fn parse(block: &[u8; BLOCK]) -> Option<(String, u64)> {
    let text = |from: usize, to: usize| {
        let field = block[from..to].split(|byte| *byte == 0).next()?;
        std::str::from_utf8(field).ok()
    };
    let (rest, prefix) = (text(0, 100)?, text(345, 500)?);
    let name = if prefix.is_empty() { rest.to_owned() } else { format!("{prefix}/{rest}") };
    let size = u64::from_str_radix(text(124, 136)?, 8).ok()?;
    (header(&name, size)? == *block).then_some((name, size))
}

/// Zeroes after a file's bytes.
pub fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_is_written_and_no_other_is() {
        let long = format!("{}/{}", "a".repeat(120), "b".repeat(99));
        for (name, size) in [("a", 0), ("metadata/1.root.json", 1234), (long.as_str(), MOST)] {
            let block = header(name, size).unwrap();
            assert_eq!(parse(&block), Some((name.to_owned(), size)));
            for bit in 0..BLOCK * 8 {
                let mut flipped = block;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(parse(&flipped), None, "{name}, bit {bit}");
            }
        }
        assert_eq!(header(&"a".repeat(101), 0), None);
        assert_eq!(header("a", MOST + 1), None);
    }
}
