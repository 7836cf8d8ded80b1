//! What else the device's init reads from its disk: the dm-verity superblock, the identity; and its command line.
#![no_main]

extern crate alloc;

#[path = "../../overlays/initrd/init/src/bytes.rs"]
mod bytes;
#[path = "../../overlays/initrd/init/src/cmdline.rs"]
#[allow(dead_code)]
mod cmdline;
#[path = "../../overlays/initrd/init/src/crc.rs"]
mod crc;
#[path = "../../overlays/initrd/init/src/gpt.rs"]
#[allow(dead_code)]
mod gpt;
#[path = "../../overlays/initrd/init/src/identity.rs"]
#[allow(dead_code)]
mod identity;
#[path = "../../overlays/initrd/init/src/verity.rs"]
#[allow(dead_code)]
mod verity;

use identity::MachineId;
use libfuzzer_sys::fuzz_target;
use verity::{OnCorruption, SUPERBLOCK, Superblock};

fuzz_target!(|input: (u64, u64, [u8; SUPERBLOCK], &str)| {
    let (data_size, hash_size, block, line) = input;
    let superblock = Superblock::parse(&block, data_size, hash_size);
    if let Ok(superblock) = &superblock {
        assert!(superblock.data_blocks * verity::BLOCK <= data_size);
        assert!(superblock.sectors() > 0);
        superblock.device_uuid("root");
    }
    match cmdline::parse(line) {
        Ok(options) => {
            let hash = options.root_hash;
            if let Ok(superblock) = superblock {
                superblock.table("8:1", "8:2", &hash, OnCorruption::Panic);
            }
            assert_ne!(hash.to_string(), "");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let fresh = MachineId::from_random([7; 16]);
    let plan = identity::plan([&block, line.as_bytes()], fresh);
    assert!(plan.write.len() <= identity::COPIES);
});
