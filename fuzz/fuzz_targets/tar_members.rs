//! An unpacked data archive.
#![no_main]

use std::collections::BTreeSet;
use std::io::Cursor;

use geminios_fuzz::resealed_tar;
use geminios_unpack::{Limits, MemberKind, members_of};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let limits = Limits { bytes: 1 << 20, members: 100, text: 10_000 };
    drop(members_of(Cursor::new(data), limits));
    let Ok(members) = members_of(Cursor::new(resealed_tar(data)), limits) else { return };
    assert!(members.len() <= limits.members);
    let mut before = BTreeSet::new();
    for member in members {
        assert!(member.mode <= 0o7777);
        match member.kind {
            MemberKind::File { offset, size } => {
                assert!(offset + size <= data.len() as u64, "beyond the end")
            }
            MemberKind::Hardlink(target) => assert!(before.contains(&target), "a hard link to {target}"),
            MemberKind::Symlink(target) => assert!(!target.contains('\n')),
            MemberKind::Directory => {}
        }
        assert!(before.insert(member.path), "twice");
    }
});
