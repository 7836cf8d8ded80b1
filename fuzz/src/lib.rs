//! Checksums, mended after each change: else hardly a mutation would come past them.

/// A tar archive whose headers have the checksums that belong to them.
pub fn resealed_tar(data: &[u8]) -> Vec<u8> {
    let mut archive = data.to_vec();
    for block in archive.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    archive
}

/// Mends the checksums of the partition table whose header begins at byte `header`, where they have a place.
pub fn reseal_gpt(disk: &mut [u8], header: usize, block: usize) {
    let number = |disk: &[u8], at: usize| {
        disk.get(at..at + 4)
            .map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    if disk.len() < header + 92 {
        return;
    }
    let entries = number(disk, header + 72).saturating_mul(block);
    let length = number(disk, header + 80).saturating_mul(number(disk, header + 84));
    if let Some(bytes) = disk.get(entries..entries.saturating_add(length)) {
        let sum = crc32(bytes);
        disk[header + 88..header + 92].copy_from_slice(&sum.to_le_bytes());
    }
    let size = number(disk, header + 12);
    disk[header + 16..header + 20].fill(0);
    if let Some(bytes) = disk.get(header..header.saturating_add(size)) {
        let sum = crc32(bytes);
        disk[header + 16..header + 20].copy_from_slice(&sum.to_le_bytes());
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
