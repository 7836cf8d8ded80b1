//! A lock. One that is read is written as it was read.
#![no_main]

use geminios_model::{Lock, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match Lock::parse(&Source::new("x.lock", text)) {
    Ok(lock) => {
        let again = Lock::parse(&Source::new("x.lock", lock.to_text())).expect("a lock reads what it writes");
        assert_eq!(again, lock);
    }
    Err(complaint) => drop((complaint.line(), complaint.render(false), complaint.render(true))),
});
