//! A package that ends too early, at whichever byte, is refused.

use std::io::Cursor;

use geminios_unpack::{Fault, Limits, members_of};

use crate::package::{
    COMPRESSIONS, CONTROL, container, control_part, deb_with, endless_tar, file, folder, packed, part, tar,
    version_part,
};
use crate::world::World;

fn data() -> Vec<u8> {
    tar(&[folder("./"), file("./x", &"text ".repeat(150)), file("./y", "more")])
}

#[test]
fn every_prefix_of_a_package_is_refused() {
    let world = World::new();
    for compression in COMPRESSIONS {
        let part =
            |stem: &str, bytes: &[u8]| part(&format!("{stem}{compression}"), &packed(compression, bytes));
        let control = part("control.tar", &tar(&[file("./control", CONTROL)]));
        let deb = container(&[version_part(), control, part("data.tar", &data())]);
        for end in 0..deb.len() {
            let found = world.refusal_without_trace(&deb[..end]);
            assert!(found.starts_with("the package in /the.deb: it is "), "cut at {end}: {found}");
        }
        world.unpack(&deb).unwrap();
        world.store.clear().unwrap();
    }
}

#[test]
fn every_prefix_of_a_packed_part_is_refused() {
    let world = World::new();
    for compression in [".gz", ".xz", ".zst"] {
        let whole = packed(compression, &data());
        for end in 0..whole.len() {
            let part = part(&format!("data.tar{compression}"), &whole[..end]);
            let found = world.refusal(&deb_with(part));
            assert!(found.starts_with("demo 1.0: "), "cut at {end}: {found}");
            assert!(found.contains("it is cut short or damaged: "), "cut at {end}: {found}");
        }
    }
}

#[test]
fn every_prefix_of_an_archive_is_refused() {
    let archive = endless_tar(&[folder("./"), file("./x", "text"), file("./y", "more")]);
    let limits = Limits::for_size(archive.len() as u64);
    for end in 0..=archive.len() {
        let fault =
            members_of(Cursor::new(&archive[..end]), limits).expect_err("a part of an archive was read");
        assert!(matches!(fault, Fault::Broken(_)), "cut at {end}: {fault}");
    }
}

#[test]
fn every_prefix_of_a_control_archive_is_refused() {
    let world = World::new();
    let archive = endless_tar(&[folder("./"), file("./control", CONTROL)]);
    for end in 0..=archive.len() {
        let control = part("control.tar", &archive[..end]);
        let found =
            world.refusal_without_trace(&container(&[version_part(), control, part("data.tar", &data())]));
        let begin = "the package in /the.deb: control.tar: it is cut short or damaged: ";
        assert!(found.starts_with(begin), "cut at {end}: {found}");
    }
}

#[test]
fn rubbish_after_a_packed_part_is_refused() {
    let world = World::new();
    for compression in [".gz", ".xz", ".zst"] {
        let part = part(
            &format!("data.tar{compression}"),
            &[packed(compression, &data()), b"rubbish".to_vec()].concat(),
        );
        let found = world.refusal_without_trace(&container(&[version_part(), control_part(), part]));
        assert!(
            found.starts_with("demo 1.0: data.tar: it is cut short or damaged: "),
            "{compression}: {found}"
        );
    }
}
