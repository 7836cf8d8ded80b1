//! What dpkg-deb and its likes write is unpacked as it is.

use geminios_model::ScriptKind;

use crate::package::{
    COMPRESSIONS, CONTROL, Entry, container, deb, entry, file, folder, hard_link, link, long, packed, part,
    tar, version_part,
};
use crate::world::{World, listing};

#[test]
fn every_compression_gives_the_same_members() {
    let world = World::new();
    let data = tar(&[
        folder("./"),
        folder("./usr/"),
        folder("./usr/bin/"),
        file("./usr/bin/x", "hello").mode(0o755),
        file("./usr/bin/empty", ""),
        link("./usr/bin/y", "../../etc/x"),
        hard_link("./usr/bin/z", "./usr/bin/x"),
    ]);
    let control =
        tar(&[folder("./"), file("./control", CONTROL), file("./postinst", "#!/bin/sh\n").mode(0o755)]);
    for compression in COMPRESSIONS {
        let part = |stem: &str, bytes| part(&format!("{stem}{compression}"), &packed(compression, bytes));
        let deb = container(&[version_part(), part("control.tar", &control), part("data.tar", &data)]);
        let package = world.unpack(&deb).unwrap();
        assert_eq!(package.control.fields["Version"], "1.0", "{compression}");
        assert_eq!(package.control.scripts[&ScriptKind::Postinst], b"#!/bin/sh\n");
        assert_eq!(
            listing(&package),
            "\
/ 0755 0:0 1699879936 folder
/usr 0755 0:0 1699879936 folder
/usr/bin 0755 0:0 1699879936 folder
/usr/bin/x 0755 0:0 1699879936 \"hello\"
/usr/bin/empty 0644 0:0 1699879936 \"\"
/usr/bin/y 0644 0:0 1699879936 -> ../../etc/x
/usr/bin/z 0644 0:0 1699879936 = /usr/bin/x
",
            "compressed as `{compression}`"
        );
    }
}

#[test]
fn an_unpacked_package_is_known_the_next_time() {
    let world = World::new();
    let deb = deb(&[file("./x", "once")]);
    assert!(!world.knows(&deb));
    let first = world.unpack(&deb).unwrap();
    assert!(world.knows(&deb));
    let unpacked = std::fs::metadata(&first.data.path).unwrap().modified().unwrap();
    let again = world.unpack(&deb).unwrap();
    assert_eq!((again.data.clone(), again.members), (first.data, first.members));
    assert_eq!(std::fs::metadata(&again.data.path).unwrap().modified().unwrap(), unpacked, "unpacked again");
}

#[test]
fn an_unpacked_archive_that_is_damaged_is_unpacked_again() {
    let world = World::new();
    let deb = deb(&[file("./x", "whole")]);
    let data = world.unpack(&deb).unwrap().data;
    std::fs::write(&data.path, "rubbish").unwrap();
    assert_eq!(listing(&world.unpack(&deb).unwrap()), "/x 0644 0:0 1699879936 \"whole\"\n");
}

#[test]
fn modes_and_owners_are_kept_and_the_kind_in_a_mode_is_not() {
    let world = World::new();
    let big = |number: u32| [&[0x80, 0, 0, 0][..], &number.to_be_bytes()].concat();
    let cases: [(Entry, &str); 8] = [
        (file("./x", "").mode(0o4755), "/x 4755 0:0"),
        (file("./x", "").mode(0o2755), "/x 2755 0:0"),
        (folder("./x").mode(0o1777), "/x 1777 0:0"),
        (file("./x", "").mode(0o100_644), "/x 0644 0:0"),
        (file("./x", "").mode(0o104_711), "/x 4711 0:0"),
        (file("./x", "").mode(0), "/x 0000 0:0"),
        (file("./x", "").with(108, b"0000101\x000000052\x00"), "/x 0644 65:42"),
        (file("./x", "").with(108, &big(3_000_000_000)), "/x 0644 3000000000:0"),
    ];
    for (entry, expected) in cases {
        let found = listing(&world.unpack(&deb(&[entry])).unwrap());
        assert!(found.starts_with(&format!("{expected} ")), "{found} is not {expected}");
    }
}

#[test]
fn names_of_every_form_that_dpkg_reads() {
    let world = World::new();
    let long_name = format!("./{}/{}", "d".repeat(100), "f".repeat(255));
    let long_target = "t".repeat(4095);
    let ustar =
        |name: &str, prefix: &str| file(name, "").with(257, b"ustar\x0000").with(345, prefix.as_bytes());
    let v7 = |name: &str| file(name, "").with(257, &[0; 8]);
    let cases: [(Vec<Entry>, String); 11] = [
        (vec![file("x", "")], "/x".into()),
        (vec![file("./with space", "")], "/with space".into()),
        (vec![file("./ünïcode", "")], "/ünïcode".into()),
        (vec![folder(".")], "/".into()),
        (vec![v7("./old")], "/old".into()),
        (vec![entry(b'7', "./contiguous", b"")], "/contiguous".into()),
        (vec![entry(0, "./nul-flag", b"")], "/nul-flag".into()),
        (vec![folder("./a"), ustar("x", "./a")], "/a/x".into()),
        // GNU has times where ustar has the beginning of a long name.
        (vec![file("./gnu", "").with(345, b"14524416000\0")], "/gnu".into()),
        (
            vec![long(b'L', &long_name[..103]), folder("-"), long(b'L', &long_name), file("-", "")],
            long_name[1..].into(),
        ),
        (vec![long(b'K', &long_target), link("./l", "short")], format!("/l -> {long_target}")),
    ];
    for (entries, expected) in cases {
        let package = world.unpack(&deb(&entries)).unwrap_or_else(|error| panic!("{expected}: {error}"));
        let member = package.members.last().unwrap();
        let found = match &member.kind {
            geminios_unpack::MemberKind::Symlink(target) => format!("{} -> {target}", member.path),
            _ => member.path.to_string(),
        };
        assert_eq!(found, expected);
    }
}
