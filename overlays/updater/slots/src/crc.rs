/// CRC-32 as GPT (UEFI specification 2.10, section 5.3.2) and U-Boot have it: reflected, polynomial 0xEDB88320.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| (crc >> 8) ^ TABLE[usize::from(crc as u8 ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[test]
fn check_value_of_the_catalogue() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}
