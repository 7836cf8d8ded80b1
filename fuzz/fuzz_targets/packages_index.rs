//! A suite's Packages file, decompressed.
#![no_main]

use geminios_resolve::Index;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut index = Index::new();
    match index.add("debian", "trixie", data) {
        Ok(()) => assert!(index.len() <= data.len()),
        Err(error) => {
            assert!(index.is_empty(), "half an index was added");
            assert!(!error.to_string().is_empty());
        }
    }
});
