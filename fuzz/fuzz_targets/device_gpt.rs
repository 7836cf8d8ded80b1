//! The partition table as the device's init reads it.
#![no_main]

extern crate alloc;

#[path = "../../overlays/initrd/init/src/bytes.rs"]
#[allow(dead_code)]
mod bytes;
#[path = "../../overlays/initrd/init/src/crc.rs"]
mod crc;
#[path = "../../overlays/initrd/init/src/gpt.rs"]
#[allow(dead_code)]
mod gpt;

use geminios_fuzz::reseal_gpt;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, disk) = input;
    let block = 512 << (kind % 4);
    let mut disk = disk.to_vec();
    read(&disk, block);
    let last = (disk.len() / block).saturating_sub(1) * block;
    reseal_gpt(&mut disk, block, block);
    reseal_gpt(&mut disk, last, block);
    read(&disk, block);
});

fn read(disk: &[u8], block: usize) {
    let read_at = |at: u64, buffer: &mut [u8]| {
        let from = disk.get(at as usize..).and_then(|rest| rest.get(..buffer.len()));
        from.map(|from| buffer.copy_from_slice(from)).ok_or_else(|| "beyond the end".to_owned())
    };
    match gpt::read(&read_at, disk.len() as u64, block as u32) {
        Ok(table) => {
            let blocks = (disk.len() / block) as u64;
            assert!(table.partitions.iter().all(|p| p.blocks > 0 && p.first + p.blocks <= blocks));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
