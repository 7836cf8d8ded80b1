//! The disk that holds the root is found by what the kernel says, and nobody else works on it meanwhile.

use std::time::Duration;

use geminios_updater::args::Verb;
use geminios_updater::machine::{Lock, MachineError, Place};

use crate::system::System;
use crate::world::{SIZE, World};

fn found(world: &World) -> Result<Place, String> {
    let error = |error: MachineError| error.to_string().replace(&*world.folder.path().to_string_lossy(), "");
    Place::find(&world.paths()).map_err(error)
}

#[test]
fn the_disk_below_the_root_and_its_esp() {
    let world = World::new(&System::new("1.0.0"));
    let place = found(&world).unwrap();
    assert_eq!((place.disk, place.size, place.block), (world.path("/dev/vda"), SIZE, 512));
    assert_eq!((place.esp.node, place.esp.mounted), (world.path("/dev/vda1"), None));
}

#[test]
fn what_is_no_slot_is_said() {
    type Case<'a> = (&'a str, &'a dyn Fn(&World), &'a str);
    let table: [Case<'_>; 6] = [
        (
            "the root is a plain partition",
            &|world| world.write("/proc/self/mountinfo", "22 1 8:2 / / rw - ext4 /dev/sda2 rw\n"),
            "the root (8:2) is on no dm-verity mapping",
        ),
        ("nothing is mounted", &|world| world.write("/proc/self/mountinfo", ""), "the root (not mounted)"),
        (
            "no partition is an ESP",
            &|world| world.write("/sys/devices/pci0000:00/virtio1/block/vda/vda1/uevent", "PARTNAME=EFI\n"),
            "/dev/vda has no partition labelled esp",
        ),
        (
            "the mapping is of a whole disk",
            &|world| {
                let slaves = world.path("/sys/dev/block/253:0/slaves");
                std::fs::remove_dir_all(&slaves).unwrap();
                std::fs::create_dir_all(&slaves).unwrap();
                let disk = world.path("/sys/devices/pci0000:00/virtio1/block/vda");
                std::os::unix::fs::symlink(disk, slaves.join("vda")).unwrap();
            },
            "the root (253:0) is on no dm-verity mapping",
        ),
        (
            "the slot is spread over two disks",
            &|world| {
                world.write("/sys/devices/sdb/sdb1/partition", "1\n");
                let link = world.path("/sys/dev/block/253:0/slaves/sdb1");
                std::os::unix::fs::symlink(world.path("/sys/devices/sdb/sdb1"), link).unwrap();
            },
            "the root (253:0) is on no dm-verity mapping",
        ),
        (
            "the kernel says nonsense",
            &|world| world.write("/sys/devices/pci0000:00/virtio1/block/vda/size", "many\n"),
            "the kernel says `many` in /sys/devices/pci0000:00/virtio1/block/vda/size, which is no number",
        ),
    ];
    for (what, change, expected) in table {
        let world = World::new(&System::new("1.0.0"));
        change(&world);
        let error = found(&world).unwrap_err();
        assert!(error.starts_with(expected), "{what}: {error}");
    }
}

#[test]
fn where_the_esp_is_mounted_already() {
    let world = World::new(&System::new("1.0.0"));
    let mounts = "22 1 253:0 / / ro - erofs /dev/dm-0 ro\n31 22 254:1 / /efi rw - vfat /dev/vda1 rw\n";
    world.write("/proc/self/mountinfo", mounts);
    assert_eq!(found(&world).unwrap().esp.mounted, Some("/efi".into()));
}

/// NVMe and SD cards have another form of name, some RAID controllers a folder.
#[test]
fn names_with_a_folder() {
    let world = World::new(&System::new("1.0.0"));
    let disk = world.path("/sys/devices/pci0000:00/virtio1/block");
    std::fs::rename(disk.join("vda"), disk.join("cciss!c0d0")).unwrap();
    let slaves = world.path("/sys/dev/block/253:0/slaves");
    for name in ["vda2", "vda3"] {
        std::fs::remove_file(slaves.join(name)).unwrap();
        std::os::unix::fs::symlink(disk.join("cciss!c0d0").join(name), slaves.join(name)).unwrap();
    }
    assert_eq!(found(&world).unwrap().disk, world.path("/dev/cciss/c0d0"));
}

#[test]
fn one_updater_at_a_time() {
    let world = World::new(&System::new("1.0.0"));
    let host = world.host();
    let take = |verb| Lock::take(&world.path("/run/geminios"), verb, Duration::from_secs(3), &*host.clock);
    let held = take("install").unwrap();
    let said = world.run(&Verb::Recover);
    let expected =
        format!("geminios-updater: another updater works: process {} (install)\n", std::process::id());
    assert!(said.starts_with(&expected), "{said}");
    drop(held);
    assert_eq!(world.run(&Verb::Recover).lines().count(), 1, "the journal is begun");
    take("check").unwrap();
}
