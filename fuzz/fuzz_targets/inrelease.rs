//! An InRelease file, with its signature and without.
#![no_main]

use std::sync::LazyLock;

use geminios_resolve::{Asked, Key, parse_release, verify_inrelease};
use libfuzzer_sys::fuzz_target;

/// Signed the seeds; made for that alone.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    Key::parse_all("seeds.asc", include_bytes!("inrelease.asc")).expect("the key of the seeds")
});

const ASKED: Asked<'_> =
    Asked { archive: "debian", suite: "trixie", now: 1_795_377_600, accept_expired: false };

fuzz_target!(|data: &[u8]| {
    if let Err(error) = verify_inrelease(data, &KEYS, &ASKED) {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(fields) =
        std::str::from_utf8(data).map_err(drop).and_then(|text| parse_release(text).map_err(drop))
    {
        fields.packages_file("trixie", "main", "amd64");
    }
});
