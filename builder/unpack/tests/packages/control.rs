//! The control archive: what it may hold, and what the control file has to say.

use geminios_unpack::parse_control;

use crate::package::{
    CONTROL, Entry, container, entry, file, folder, hard_link, link, part, tar, version_part,
};
use crate::world::World;

/// A package with this control archive.
fn deb(entries: &[Entry]) -> Vec<u8> {
    container(&[
        version_part(),
        part("control.tar", &tar(entries)),
        part("data.tar", &tar(&[file("./x", "")])),
    ])
}

#[test]
fn members_that_are_not_control_data() {
    let world = World::new();
    let good = || file("./control", CONTROL);
    let no_file = |path| format!("{path} is no file of control data");
    let cases: [(&str, Vec<Entry>); 11] = [
        (&no_file("/control"), vec![link("./control", "/etc/passwd")]),
        (&no_file("/postinst"), vec![good(), hard_link("./postinst", "./control")]),
        (&no_file("/sub"), vec![folder("./sub"), good()]),
        (&no_file("/sub/control"), vec![file("./sub/control", CONTROL)]),
        (&no_file("/"), vec![file(".", CONTROL)]),
        ("/control is a named pipe, which a package may not hold", vec![entry(b'6', "./control", b"")]),
        (
            "/c is a pax header, which a package may not hold",
            vec![entry(b'x', "c", b"16 path=control\n"), good()],
        ),
        ("/control stands twice in it", vec![good(), file("control", CONTROL)]),
        ("/postinst stands twice in it", vec![good(), file("./postinst", "a"), file("./postinst", "b")]),
        ("path `/../control` climbs out with `..`", vec![file("../control", CONTROL)]),
        ("its member at byte 0 has a wrong checksum", vec![good().with_unsummed(0, b"./kontrol")]),
    ];
    for (expected, entries) in cases {
        let found = world.refusal_without_trace(&deb(&entries));
        assert_eq!(found, format!("the package in /the.deb: control.tar: {expected}"));
    }
}

#[test]
fn what_the_control_file_does_not_say() {
    let world = World::new();
    let without =
        |field: &str| CONTROL.lines().filter(|line| !line.starts_with(field)).collect::<Vec<_>>().join("\n");
    let cases = [
        ("it has no field Package", without("Package")),
        ("it has no field Version", without("Version")),
        ("it has no field Architecture", without("Architecture")),
        ("field Version stands twice", format!("{CONTROL}Version: 2.0\n")),
        ("field version stands twice", format!("{CONTROL}version: 2.0\n")),
    ];
    for (expected, text) in cases {
        let found = world.refusal_without_trace(&deb(&[file("./control", &text)]));
        let expected = format!("the package in /the.deb: control.tar: its control file is wrong: {expected}");
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn control_files_that_are_none() {
    let world = World::new();
    let cases: [&[u8]; 6] = [
        b"",
        b"no field at all\n",
        b" a line that goes on from nowhere\n",
        b"Package: \xff\nVersion: 1\nArchitecture: all\n",
        b"Package: demo\n\nVersion: 1.0\nArchitecture: all\n",
        b"Package: demo\nVersion: 1.0\nArchitecture: all\n\nPackage: other\n",
    ];
    for text in cases {
        let found = world.refusal_without_trace(&deb(&[entry(b'0', "./control", text)]));
        let begin = "the package in /the.deb: control.tar: its control file is wrong: ";
        assert!(found.starts_with(begin), "{}: {found}", text.escape_ascii());
    }
    let found = world.refusal_without_trace(&deb(&[file("./postinst", "")]));
    assert!(found.ends_with("its control file is wrong: it is missing"), "{found}");
}

#[test]
fn a_name_does_not_reach_the_terminal() {
    let control = "Package: de\u{1b}[2Jmo\nVersion: 1.0\nArchitecture: all\n";
    let control = part("control.tar", &tar(&[file("./control", control)]));
    let data = part("data.tar", &tar(&[file("../x", "")]));
    let found = World::new().refusal(&container(&[version_part(), control, data]));
    assert_eq!(found, "de\\u{1b}[2Jmo 1.0: path `/../x` climbs out with `..`");
}

#[test]
fn a_script_is_found_among_other_files() {
    let control = tar(&[
        folder("./"),
        file("./md5sums", "d41d8cd98f00b204e9800998ecf8427e  x\n"),
        file("./preinst", "#!/bin/sh\nexit 0\n"),
        file("./control", CONTROL),
        file("./triggers", "activate-noawait ldconfig\n"),
    ]);
    let found = parse_control(&*control).unwrap();
    assert_eq!(found.scripts.into_values().collect::<Vec<_>>(), [b"#!/bin/sh\nexit 0\n"]);
}
