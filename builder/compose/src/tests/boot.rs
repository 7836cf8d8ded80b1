//! The initrd, and what an image weighs.

use std::collections::BTreeMap;
use std::io::Write;

use geminios_model::{Budget, Digest, Located, TreePath};

use super::world::{F, World};
use crate::caches;
use crate::initrd::initrd;
use crate::report::Installed;
use crate::tree::{Node, Tree};
use crate::{ComposeError, Content};

const KERNEL: &str = "6.12.57-amd64";

const DEP: &str = "kernel/fs/erofs.ko.xz: kernel/lib/libcrc32c.ko
kernel/lib/libcrc32c.ko:
kernel/crypto/crc32c_generic.ko:
kernel/crypto/crc32c-intel.ko:
kernel/crypto/crc32c-arm.ko:
kernel/ata/ahci.ko: kernel/ata/libahci.ko kernel/ata/libata.ko kernel/scsi/scsi_mod.ko
kernel/ata/libahci.ko: kernel/ata/libata.ko kernel/scsi/scsi_mod.ko
kernel/ata/libata.ko: kernel/scsi/scsi_mod.ko
kernel/scsi/scsi_mod.ko:
kernel/scsi/sd_mod.ko: kernel/scsi/scsi_mod.ko
";

/// A world with the modules above and the files that depmod would write, and an overlay that wants these modules.
fn world(modules: &str) -> World {
    let mut world = World::new();
    let folder = format!("/usr/lib/modules/{KERNEL}");
    let members: Vec<(String, String)> = DEP
        .lines()
        .filter_map(|line| line.split(':').next())
        .map(|path| (format!("{folder}/{path}"), format!("bytes of {path}")))
        .collect();
    let members: Vec<_> =
        members.iter().map(|(path, text)| (path.as_str(), F(0o644, text.as_str()))).collect();
    world.package("linux-modules", &members);
    world.overlay(
        "initrd",
        &format!(
            "[initrd]\nmodules = [{modules}]\n[[program]]\nsource = \"init\"\nbinary = \"init\"\npath = \"/init\"\nplace = \"initrd\"\n"
        ),
        &[],
    );
    world
}

fn composed(world: &World) -> Result<Tree, ComposeError> {
    let path = |name: &str| TreePath::new(&format!("/usr/lib/modules/{KERNEL}/{name}")).unwrap();
    let mut root = world.assembled(|a| a.root.clone());
    let made = [
        ("modules.dep", DEP),
        ("modules.softdep", "# c\nsoftdep erofs pre: crc32c post: nothing\nsoftdep sd_mod post: ahci\n"),
        ("modules.alias", "alias crc32c crc32c_generic\nalias crc32c crc32c_intel\nalias pci:v0000* ahci\n"),
    ];
    let made = made.iter().map(|(name, text)| (path(name), Node::File(Content::from(*text)))).collect();
    caches::put(&mut root, made, "modules.dep", super::world::EPOCH).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(b"bytes of erofs").unwrap();
    root.get_mut(&path("kernel/fs/erofs.ko.xz")).unwrap().node = Node::File(xz.finish().unwrap().into());
    world.with_inputs(|i| {
        initrd(&root, KERNEL, i.overlays, (i.board, i.board_source), i.programs, super::world::EPOCH)
    })
}

fn text(tree: &Tree, path: &str) -> String {
    let entry = tree.get(&TreePath::new(path).unwrap()).expect("no such path");
    String::from_utf8(entry.content().expect("no file").read().unwrap()).unwrap()
}

#[test]
fn modules_come_with_all_they_need_in_the_order_to_load_them() {
    // The 8250 is built in. The board asks for ahci, which `sd_mod` brings earlier.
    let tree = composed(&world("\"erofs\", \"8250\", \"sd-mod\"")).unwrap();
    insta::assert_snapshot!(text(&tree, "/modules.list"), @r"
    crc32c_generic.ko
    crc32c-intel.ko
    libcrc32c.ko
    erofs.ko
    scsi_mod.ko
    sd_mod.ko
    libata.ko
    libahci.ko
    ahci.ko
    ");
    assert_eq!(text(&tree, "/modules/erofs.ko"), "bytes of erofs", "it is decompressed");
    insta::assert_snapshot!(tree.listing());
}

#[test]
fn a_module_that_the_kernel_does_not_have() {
    insta::assert_snapshot!(composed(&world("\"erofs\", \"sd_mo\"")).unwrap_err().to_string());
    insta::assert_snapshot!(composed(&world("\"nothing_like_it\"")).unwrap_err().to_string());
}

#[test]
fn an_initrd_without_an_init() {
    let mut world = world("");
    world.overlays.clear();
    insta::assert_snapshot!(composed(&world).unwrap_err().to_string());
}

#[test]
fn installed_bytes_count_for_the_overlay_that_began_the_chain_of_reasons() {
    let mut world = World::new();
    for (name, why) in
        [("postgresql", "@db"), ("libpq", "postgresql"), ("libssl", "libpq"), ("round", "round")]
    {
        let (locked, _) =
            world.package(name, &[(&format!("/usr/lib/{name}"), F(0o644, &"x".repeat(name.len())))]);
        locked.sets = BTreeMap::from([("image".into(), why.into())]);
    }
    world.overlay("db", "", &[("etc/db.conf", "ours")]);
    let installed = world.with_inputs(|i| world.assembled(|a| Installed::of(&a.root, i.lock)));
    let share = &installed.overlays["db"];
    assert_eq!((share.own, share.total()), (4, 4 + 10 + 5 + 6));
    assert_eq!(share.packages.keys().collect::<Vec<_>>(), ["libpq", "libssl", "postgresql"]);
    assert_eq!(installed.overlays["(unknown)"].total(), 5, "reasons that go in a circle end");

    let limit = |megabytes| Budget {
        installed: BTreeMap::from([("db".to_owned(), Located::nowhere(megabytes))]),
        ..Budget::default()
    };
    assert_eq!(installed.over(&limit(1)), []);
    let over = installed.over(&limit(0));
    assert_eq!((over[0].overlay.as_str(), over[0].installed, over[0].limit), ("db", 25, 0));
}

#[test]
fn a_blob_is_read_from_its_place_in_the_store() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("data");
    std::fs::write(&path, "0123456789").unwrap();
    let blob = |offset, size| Content::Blob {
        path: path.as_path().into(),
        offset,
        size,
        id: Digest::of("0123456789"),
    };
    assert_eq!(blob(2, 3).read().unwrap(), b"234");
    assert!(blob(2, 3).same_bytes(&Content::from("234")).unwrap());
    assert!(!blob(2, 3).same_bytes(&Content::from("235")).unwrap());
    assert_ne!(blob(2, 3).identity(), blob(3, 3).identity());
    assert!(blob(8, 3).read().is_err(), "a file that is too short is no file");
}
