//! The cheapest way, as text.

use geminios_update_format::release::{Blob, Choice, Have, Held, PackRange, Range, Ranges, choose};

use crate::made::{MIB, digest, release};

fn plan(have: &Have) -> String {
    choose(&release(), have).to_string()
}

fn chunks(bytes: u64) -> Option<Vec<PackRange>> {
    let pack = Blob { sha256: digest("pack"), size: 100 * MIB };
    Some(vec![PackRange { pack, range: Range { offset: 0, length: bytes }, chunks: vec![0, 1] }])
}

fn done(ranges: &[(u64, u64)]) -> Ranges {
    ranges.iter().map(|(offset, length)| Range { offset: *offset, length: *length }).collect()
}

#[test]
fn what_is_chosen() {
    let root = |bases: &[&str], chunks, done| Have {
        root: Held { bases: bases.iter().map(|name| digest(name)).collect(), chunks, done },
        ..Have::default()
    };
    let none = Ranges::new;
    let old = &digest("old root").to_string()[..8];
    let older = &digest("older root").to_string()[..8];
    let cases = [
        (root(&[], None, none()), "read the chunk index, 9000 bytes".to_owned()),
        (root(&[], chunks(20 * MIB), none()), "whole, pieces 5, 10485760 bytes".to_owned()),
        (root(&[], chunks(10 * MIB), none()), "whole, pieces 5, 10485760 bytes".to_owned()),
        (root(&[], chunks(10 * MIB - 1), none()), "chunks 2 in requests 1, 10485759 bytes".to_owned()),
        (root(&["unknown"], chunks(20 * MIB), none()), "whole, pieces 5, 10485760 bytes".to_owned()),
        (
            root(&["older root"], chunks(20 * MIB), none()),
            format!("delta from {older}, pieces 5, 450000 bytes"),
        ),
        (
            root(&["older root", "old root"], chunks(20 * MIB), none()),
            format!("delta from {old}, pieces 5, 150000 bytes"),
        ),
        (root(&["old root"], chunks(149_999), none()), "chunks 2 in requests 1, 149999 bytes".to_owned()),
        // An index of 9,000 bytes is worth a look beside 150,000, and not beside 60,000.
        (root(&["old root"], None, none()), "read the chunk index, 9000 bytes".to_owned()),
        (
            root(&["old root"], None, done(&[(0, 12 * MIB)])),
            format!("delta from {old}, pieces 2, 60000 bytes"),
        ),
        // What is written and verified is not fetched, whichever way it came; half a piece is.
        (
            root(&["old root"], None, done(&[(0, 16 * MIB)])),
            format!("delta from {old}, pieces 1, 30000 bytes"),
        ),
        (
            root(&["old root"], None, done(&[(0, 16 * MIB - 1)])),
            format!("delta from {old}, pieces 2, 60000 bytes"),
        ),
        (
            root(&[], chunks(9 * MIB), done(&[(4 * MIB, 4 * MIB), (12 * MIB, 6 * MIB)])),
            "whole, pieces 2, 4194304 bytes".to_owned(),
        ),
        (root(&[], None, done(&[(0, 18 * MIB)])), "complete".to_owned()),
    ];
    for (have, expected) in cases {
        let text = plan(&have);
        assert_eq!(
            text,
            format!(
                "root: {expected}\nverity: whole, pieces 1, 524288 bytes\nuki: whole, pieces 2, 2097152 bytes\n"
            )
        );
    }
}

#[test]
fn bytes_are_the_sum() {
    let mut have = Have::default();
    have.root.bases.push(digest("old root"));
    have.root.chunks = chunks(20 * MIB);
    have.uki.done = done(&[(0, 6 * MIB)]);
    let plan = choose(&release(), &have);
    assert_eq!(plan.bytes(), 150_000 + MIB / 2);
    assert_eq!(plan.uki, Choice::Nothing);
}
