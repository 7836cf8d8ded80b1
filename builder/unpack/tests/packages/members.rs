//! Members that dpkg-deb does not write: each is refused by name, and nothing counts as unpacked.

use geminios_unpack::{Limits, members_of};

use crate::package::{
    Entry, deb, deb_with, endless_tar, entry, file, folder, hard_link, link, long, part, tar,
};
use crate::world::World;

/// What the message says after the package's name; and the members.
type Case<'a> = (&'a str, Vec<Entry>);

fn check(cases: Vec<Case<'_>>) {
    let world = World::new();
    for (expected, members) in cases {
        assert_eq!(world.refusal(&deb(&members)), format!("demo 1.0: {expected}"));
    }
}

#[test]
fn paths_that_lead_elsewhere() {
    let odd = |path| format!("path `{path}` holds an empty or `.` name, or ends with `/`");
    let long_name = "n".repeat(256);
    let long_path = "p/".repeat(2046) + "end";
    check(vec![
        ("path `/../x` climbs out with `..`", vec![file("../x", "")]),
        ("path `/../x` climbs out with `..`", vec![file("./../x", "")]),
        ("path `/..` climbs out with `..`", vec![folder("..")]),
        ("path `/usr/../../x` climbs out with `..`", vec![folder("./usr"), file("./usr/../../x", "")]),
        ("path `/../x` climbs out with `..`", vec![long(b'L', "./../x"), file("./x", "")]),
        ("path `/../x` climbs out with `..`", vec![file("x", "").with(257, b"ustar\x0000").with(345, b"..")]),
        (&odd("/etc/passwd"), vec![file("/etc/passwd", "")]),
        (&odd("//x"), vec![file("//x", "")]),
        (&odd("/x"), vec![file(".//x", "")]),
        (&odd("/./x"), vec![file("././x", "")]),
        (&odd("/a//x"), vec![folder("./a"), file("./a//x", "")]),
        (&odd("/a/./x"), vec![folder("./a"), file("./a/./x", "")]),
        ("path `/a\\nb` holds a NUL or a line break", vec![file("./a\nb", "")]),
        (
            &format!("path `/{long_name}` is too long for Linux (4095 bytes, 255 for a name)"),
            vec![long(b'L', &long_name), file("-", "")],
        ),
        (
            &format!("path `/{long_path}` is too long for Linux (4095 bytes, 255 for a name)"),
            vec![long(b'L', &long_path), file("-", "")],
        ),
        ("its member at byte 0 has no name", vec![folder("")]),
        (
            "its member at byte 0 has a name or link target that is not UTF-8",
            vec![file("-", "").with(0, b"\xff")],
        ),
        ("/ is no folder", vec![file("./", "")]),
        ("/ is no folder", vec![link(".", "etc")]),
        ("/x is a file with the name of a folder", vec![file("./x/", "")]),
    ]);
}

#[test]
fn members_without_a_folder_of_their_own() {
    check(vec![
        (
            "/l/passwd would be written through /l, which is a link",
            vec![link("./l", "/etc"), file("./l/passwd", "")],
        ),
        ("/l/d would be written through /l, which is a link", vec![link("./l", "."), folder("./l/d")]),
        (
            "/d/l/x would be written through /d/l, which is a link",
            vec![folder("./d"), link("./d/l", "../.."), hard_link("./d/l/x", "./d/l")],
        ),
        ("/d stands twice in it", vec![folder("./d"), link("./d", "/etc"), file("./d/passwd", "")]),
        ("/l stands twice in it", vec![link("./l", "/etc/passwd"), file("./l", "root::0:0")]),
        ("/l stands twice in it", vec![link("./l", "/etc"), folder("l/")]),
        ("/x stands twice in it", vec![file("./x", "a"), file("x", "b")]),
        ("/d stands twice in it", vec![folder("./d"), folder("./d/")]),
        ("/ stands twice in it", vec![folder("./"), folder(".")]),
        ("/d/x comes before its folder", vec![file("./d/x", "")]),
        ("/d/x comes before its folder", vec![file("./d/x", ""), folder("./d")]),
        ("/f/x comes before its folder", vec![file("./f", ""), file("./f/x", "")]),
    ]);
}

#[test]
fn links_to_what_is_not_there() {
    let hard = |target| format!("/h is a hard link to {target}, which is no file that comes before it");
    let target = "/l is a link whose target is empty, too long or more than one line";
    check(vec![
        (&hard("./x"), vec![hard_link("./h", "./x"), file("./x", "later")]),
        (&hard("./h"), vec![hard_link("./h", "./h")]),
        (&hard("./d"), vec![folder("./d"), hard_link("./h", "./d")]),
        (&hard("./l"), vec![link("./l", "/etc/passwd"), hard_link("./h", "./l")]),
        (&hard("./l/passwd"), vec![link("./l", "/etc"), hard_link("./h", "./l/passwd")]),
        (&hard("/etc/passwd"), vec![hard_link("./h", "/etc/passwd")]),
        (&hard("../etc/passwd"), vec![hard_link("./h", "../etc/passwd")]),
        (&hard("./../x"), vec![file("./x", ""), hard_link("./h", "./../x")]),
        (&hard(""), vec![hard_link("./h", "")]),
        (target, vec![link("./l", "")]),
        (target, vec![link("./l", "a\nb")]),
        (target, vec![entry(b'K', "-", &[b't'; 4096]), link("./l", "-")]),
    ]);
}

#[test]
fn kinds_that_no_package_holds() {
    for (kind, name) in [
        (b'3', "character device"),
        (b'4', "block device"),
        (b'6', "named pipe"),
        (b'S', "sparse file"),
        (b'x', "pax header"),
        (b'g', "pax header"),
        (b'D', "member of unknown kind"),
        (b'M', "member of unknown kind"),
        (b'V', "member of unknown kind"),
        (b'\xff', "member of unknown kind"),
    ] {
        // A pax header would give the next member another path, or make it sparse.
        let odd = entry(kind, "./odd", b"16 path=../evil\n");
        check(vec![(&format!("/odd is a {name}, which a package may not hold"), vec![odd, file("./x", "")])]);
    }
}

#[test]
fn headers_that_lie() {
    let number = "its member at byte 0 has a number that is none, or absurd";
    let summed = "its member at byte 0 has a wrong checksum";
    let bytes = "its member at byte 0 has bytes and is no file";
    check(vec![
        (summed, vec![file("./x", "").with_unsummed(0, b"./y")]),
        (summed, vec![file("./x", "").with_unsummed(148, b"000000\0 ")]),
        (number, vec![file("./x", "").with_unsummed(148, b"        ")]),
        (
            "its member at byte 0 is of no kind of tar that dpkg reads",
            vec![file("./x", "").with(257, b"ustar 1\0")],
        ),
        (number, vec![file("./x", "").with(124, b"           \0")]),
        (number, vec![file("./x", "").with(124, b"00000000008\0")]),
        (number, vec![file("./x", "").with(124, b"-0000000001\0")]),
        (number, vec![file("./x", "").with(124, b"+0000000001\0")]),
        (number, vec![file("./x", "").with(124, b"0000\x000000001")]),
        (number, vec![file("./x", "").with(124, &[0xff; 12])]),
        (number, vec![file("./x", "").with(124, b"\x80\0\0\0\x80\0\0\0\0\0\0\0")]),
        (number, vec![file("./x", "").with(136, b"\x80\x01\0\0\0\0\0\0\0\0\0\0")]),
        (number, vec![file("./x", "").with(100, b"rw-r--r-")]),
        (
            "it is cut short or damaged: ./x should have 9223372036854775807 bytes",
            vec![file("./x", "").with(124, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff")],
        ),
        (
            "it is cut short or damaged: ./x should have 1025 bytes",
            vec![file("./x", "").with(124, b"00000002001\0")],
        ),
        ("/x has a mode that Linux does not know", vec![file("./x", "").with(100, b"0200644\0")]),
        (
            "/x has a mode that Linux does not know",
            vec![file("./x", "").with(100, b"\x80\0\0\x01\0\0\x01\xa4")],
        ),
        (
            "/x has an owner that Linux does not know",
            vec![file("./x", "").with(108, b"\x80\0\0\0\xff\xff\xff\xff")],
        ),
        (
            "/x has an owner that Linux does not know",
            vec![file("./x", "").with(116, b"\x80\0\0\x01\0\0\0\0")],
        ),
        (bytes, vec![entry(b'5', "./d", b"x")]),
        (bytes, vec![entry(b'2', "./l", b"x").with(157, b"t")]),
        (bytes, vec![entry(b'1', "./h", b"x").with(157, b"t")]),
    ]);
}

#[test]
fn extensions_that_lie() {
    let long_name = "has a name that is too long, or two";
    let text = "has a long name that is no text";
    let at = |byte: usize, what: &str| format!("its member at byte {byte} {what}");
    let twice = |kind| vec![long(kind, "./a"), long(kind, "./b"), link("./x", "y")];
    check(vec![
        (&at(1024, long_name), twice(b'L')),
        (&at(1024, long_name), twice(b'K')),
        (&at(0, long_name), vec![long(b'L', &"n".repeat(4096)), file("./x", "")]),
        (&at(0, text), vec![long(b'L', ""), file("./x", "")]),
        (&at(0, text), vec![long(b'L', "./a\0../b"), file("./x", "")]),
        (&at(0, text), vec![entry(b'L', "-", b"\xff\xfe"), file("./x", "")]),
        (&at(0, text), vec![entry(b'L', "-", b""), file("./x", "")]),
        (&at(1024, "has a link target and is no link"), vec![long(b'K', "/etc"), file("./x", "")]),
        (&at(1024, "is missing, after its name"), vec![long(b'L', "./x")]),
        (&at(1024, "is missing, after its name"), vec![long(b'K', "/etc")]),
    ]);
}

#[test]
fn what_comes_after_the_end() {
    let world = World::new();
    let whole = tar(&[file("./x", "")]);
    let hidden = [&whole[..], &endless_tar(&[file("./hidden", "")])].concat();
    let found = world.refusal(&deb_with(part("data.tar", &hidden)));
    assert_eq!(found, "demo 1.0: its member at byte 512 stands after the end");
    // Tape blocks are filled with zeros.
    world.unpack(&deb_with(part("data.tar", &[whole, vec![0; 9000]].concat()))).unwrap();
}

#[test]
fn more_than_the_limits_allow() {
    let three = tar(&[file("./a", ""), file("./b", ""), link("./c", "target")]);
    let read = |members, text| {
        members_of(std::io::Cursor::new(&three), Limits { bytes: 1 << 20, members, text })
            .map(|members| members.len())
            .map_err(|fault| fault.to_string())
    };
    assert_eq!(read(3, 15), Ok(3));
    assert_eq!(read(2, 15), Err("it has more than 2 members".into()));
    assert_eq!(read(3, 14), Err("its names and link targets have more than 14 bytes".into()));
}

#[test]
fn what_a_member_says_does_not_reach_the_terminal() {
    let clear = "\u{1b}[2J";
    let target = format!("../{clear}");
    let cases: Vec<Case<'_>> = vec![
        ("/\\u{1b}[2J stands twice in it", vec![file(&format!("./{clear}"), ""), file(clear, "")]),
        (
            "/\\u{1b}[2J/x would be written through /\\u{1b}[2J, which is a link",
            vec![link(clear, "/etc"), file(&format!("{clear}/x"), "")],
        ),
        ("/\\u{1b}[2J/x comes before its folder", vec![file(&format!("{clear}/x"), "")]),
        ("/\\u{1b}[2J is a named pipe, which a package may not hold", vec![entry(b'6', clear, b"")]),
        ("/\\u{1b}[2J has a mode that Linux does not know", vec![file(clear, "").with(100, b"0200644\0")]),
        (
            "/\\u{1b}[2J is a link whose target is empty, too long or more than one line",
            vec![link(clear, "")],
        ),
        (
            "/h is a hard link to ../\\u{1b}[2J, which is no file that comes before it",
            vec![hard_link("./h", &target)],
        ),
        (
            "/h is a hard link to \\u{1b}[2J, which is no file that comes before it",
            vec![hard_link("./h", clear)],
        ),
        (
            "it is cut short or damaged: \\u{1b}[2J should have 1025 bytes",
            vec![file(clear, "").with(124, b"00000002001\0")],
        ),
    ];
    check(cases);
}
