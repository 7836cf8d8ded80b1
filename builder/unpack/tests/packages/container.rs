//! The ar archive around a package: exactly three parts, in their order.

use crate::package::{container, control_part, file, part, tar, version_part};
use crate::world::World;

fn data_part() -> Vec<u8> {
    part("data.tar", &tar(&[file("./x", "")]))
}

/// The three parts with another byte of one of their headers.
fn with_header(of: usize, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut parts = [version_part(), control_part(), data_part()];
    parts[of][at..at + bytes.len()].copy_from_slice(bytes);
    container(&parts)
}

#[test]
fn other_parts_than_those_of_a_package() {
    let world = World::new();
    let (version, control, data) = (version_part, control_part, data_part);
    let no_package = |why: &str| format!("it is no Debian package: {why}");
    let foreign = |name: &str| format!("its part `{name}` does not belong there");
    let first = no_package("its first part is not debian-binary");
    let ends = no_package("it ends where a part should begin");
    let no_header = no_package("a part has no proper header");
    let no_size = no_package("a part has no proper size");
    let cases: [(&str, Vec<u8>); 29] = [
        (&no_package("it does not begin as an ar archive"), vec![]),
        (&no_package("it does not begin as an ar archive"), b"<html>not found</html>".to_vec()),
        (&no_package("it does not begin as an ar archive"), b"!<thin>\n".to_vec()),
        (&ends, container(&[])),
        (&ends, container(&[version()])),
        (&ends, container(&[version(), control()])),
        (&first, container(&[control(), data()])),
        (&first, container(&[control(), version(), data()])),
        (&first, container(&[part("debian_binary", b"2.0\n"), control(), data()])),
        (&first, container(&[part("debian-binary", b"2.0\nmore"), control(), data()])),
        (
            &no_package("its format is not 2.0"),
            container(&[part("debian-binary", b"2.1\n"), control(), data()]),
        ),
        (
            &no_package("its format is not 2.0"),
            container(&[part("debian-binary", b"3.0\n"), control(), data()]),
        ),
        (&foreign("data.tar"), container(&[version(), data(), control()])),
        (&foreign("data.tar"), container(&[version(), data()])),
        (&foreign("control.tar"), container(&[version(), control(), control(), data()])),
        (&foreign("_extra"), container(&[version(), control(), part("_extra", b""), data()])),
        (&foreign("data.tar"), container(&[version(), control(), data(), data()])),
        (&foreign("_gpgorigin"), container(&[version(), control(), data(), part("_gpgorigin", b"x")])),
        (&foreign("data.tar.bz2"), container(&[version(), control(), part("data.tar.bz2", b"")])),
        (&foreign("control.tar.lzma"), container(&[version(), part("control.tar.lzma", b""), data()])),
        (&foreign("data.tar\\u{1b}"), container(&[version(), control(), part("data.tar\u{1b}", b"")])),
        (&ends, [container(&[version(), control(), data()]), b"rubbish".to_vec()].concat()),
        (&no_header, [container(&[version(), control(), data()]), vec![0; 60]].concat()),
        (&no_header, with_header(1, 58, b"``")),
        (&no_package("the name of a part is not text"), with_header(1, 0, b"\xff")),
        (&no_size, with_header(1, 48, b"          ")),
        (&no_size, with_header(1, 48, b"-1        ")),
        (&no_size, with_header(2, 48, b"+2048     ")),
        (
            "it is cut short or damaged: `data.tar` should have 9999999999 bytes",
            with_header(2, 48, b"9999999999"),
        ),
    ];
    for (expected, deb) in cases {
        assert_eq!(world.refusal_without_trace(&deb), format!("the package in /the.deb: {expected}"));
    }
}

#[test]
fn a_part_that_is_larger_than_its_header_says() {
    let world = World::new();
    let control = part("control.tar.gz", b"odd");
    let at = control.len() - 1;
    let mut longer = container(&[version_part(), control, data_part()]);
    longer[8 + version_part().len() + at] = b'x';
    let found = world.refusal_without_trace(&longer);
    assert_eq!(
        found,
        "the package in /the.deb: it is no Debian package: a part has another size than its header says"
    );
}

#[test]
fn names_that_end_with_a_slash_are_those_of_another_ar() {
    let parts =
        [part("debian-binary/", b"2.0\n"), control_part(), part("data.tar/", &tar(&[file("./x", "")]))];
    assert_eq!(World::new().unpack(&container(&parts)).unwrap().members.len(), 1);
}
