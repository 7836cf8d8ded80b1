//! A maintainer script. What is left of one has nothing more to take away.
#![no_main]

use geminios_unpack::written_part;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    if let Some(left) = written_part(script) {
        assert!(left.len() <= script.len() + 1);
        assert_eq!(written_part(&left).as_deref(), Some(&*left));
    }
});
