//! The relations of a package: Depends, Breaks and their kin.
#![no_main]

use geminios_resolve::parse_relations;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|field: &str| match parse_relations(field, "amd64") {
    Ok(groups) => assert!(groups.iter().all(|group| !group.is_empty()), "a group of no alternatives"),
    Err(error) => assert!(!error.to_string().is_empty()),
});
