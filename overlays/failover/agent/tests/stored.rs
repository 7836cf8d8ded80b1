//! The record on disk is read as it was written, or not at all.
#![allow(clippy::unwrap_used)]

use geminios_failover::{StoredError, read, write};
use geminios_failover_core::{Side, Stored};

fn stored() -> Stored {
    Stored { claim: Some(u64::MAX), decided: false, ..Stored::first(Side::B) }
}

#[test]
fn it_is_read_as_it_was_written() {
    for stored in [stored(), Stored::first(Side::A), Stored::blank(Side::A)] {
        assert_eq!(read(&write(&stored)), Ok(stored));
    }
}

/// A change here is a new format: nodes in the field have files like this.
#[test]
fn its_form_stays() {
    let expected = "geminios-failover 1 1dbf29372c02113ea624ea2833fe16c46d2a567f558551589c5400d6972c03c2\n\
        {\"record\":{\"number\":1,\"by\":\"person\",\"epoch\":1,\"leader\":\"b\",\"alone\":true},\
        \"decided\":false,\"claim\":18446744073709551615,\"empty\":false}";
    assert_eq!(String::from_utf8(write(&stored())).unwrap(), expected);
}

#[test]
fn a_torn_file_is_damaged() {
    let whole = write(&stored());
    for length in 0..whole.len() {
        let mut torn = whole[..length].to_vec();
        assert!(read(&torn).is_err(), "{length} bytes");
        torn.resize(whole.len(), 0);
        assert!(read(&torn).is_err(), "{length} bytes, then zeros");
    }
    assert_eq!(read(b""), Err(StoredError::Damaged));
    assert_eq!(read(&[whole.as_slice(), b"\n"].concat()), Err(StoredError::Damaged));
}

#[test]
fn a_flipped_bit_is_never_read() {
    let whole = write(&stored());
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&bytes).is_err(), "bit {bit}");
    }
}

#[test]
fn a_newer_format_and_a_foreign_file_are_named_so() {
    let text = String::from_utf8(write(&stored())).unwrap();
    let newer = text.replacen("geminios-failover 1 ", "geminios-failover 2 ", 1);
    assert_eq!(read(newer.as_bytes()), Err(StoredError::Newer("2".to_owned())));
    assert_eq!(read(b"# my notes\n"), Err(StoredError::Foreign));
    let told = StoredError::Newer("2".to_owned()).to_string();
    assert!(told.contains("format 2") && told.contains("help:"), "{told}");
}
