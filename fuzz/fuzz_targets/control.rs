//! An unpacked control archive.
#![no_main]

use geminios_fuzz::resealed_tar;
use geminios_unpack::parse_control;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    drop(parse_control(data));
    match parse_control(&*resealed_tar(data)) {
        Ok(control) => {
            let named = ["Package", "Version", "Architecture"];
            assert!(named.iter().all(|field| control.fields.contains_key(*field)));
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
});
