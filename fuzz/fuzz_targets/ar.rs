//! A whole .deb: its container, and what is packed in its parts.
#![no_main]

use std::io::{Cursor, Read};

use geminios_unpack::{Limits, members_of, parse_ar, parse_control};
use libfuzzer_sys::fuzz_target;

/// More than this of a part tells nothing new.
const MOST: u64 = 1 << 20;

fuzz_target!(|deb: &[u8]| {
    let Ok(parts) = parse_ar(Cursor::new(deb)) else { return };
    for part in [parts.control, parts.data] {
        assert!(part.offset + part.size <= deb.len() as u64, "a part beyond the end");
    }
    if let Ok(control) = parts.control.reader(Cursor::new(deb)) {
        drop(parse_control(control.take(MOST)));
    }
    let mut data = Vec::new();
    if let Ok(reader) = parts.data.reader(Cursor::new(deb))
        && reader.take(MOST).read_to_end(&mut data).is_ok()
    {
        drop(members_of(Cursor::new(data), Limits::for_size(parts.data.size)));
    }
});
