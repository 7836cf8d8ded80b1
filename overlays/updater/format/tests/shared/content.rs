//! What images of tests hold; tests of other crates have this file too.

/// Bytes like those of programs: words from a small set, so that they pack to about a third, in no order.
pub fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words: Vec<[u8; 8]> = (0..1024).map(|_| next().to_le_bytes()).collect();
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(words[(next() % 1024) as usize]);
    }
    bytes.truncate(length);
    bytes
}
