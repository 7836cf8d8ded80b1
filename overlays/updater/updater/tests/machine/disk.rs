//! Bytes past the page cache, at places that no device takes as they are; and the partition table, with sgdisk as judge.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use geminios_slots::device::{Disk as _, Esp as _};
use geminios_slots::{Slot, State};
use geminios_updater::machine::{Kernels, WholeDisk};
use tempfile::TempDir;

use crate::system::System;
use crate::table;
use crate::watch::plain;
use crate::world::{SIZE, World};

#[test]
fn any_place_and_any_length() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("disk");
    let size = 1_u64 << 20;
    let mut model: Vec<u8> = (0..size).map(|n| (n * 7 / 3) as u8).collect();
    std::fs::write(&path, &model).unwrap();
    for block in [512_u32, 4096] {
        let mut disk = WholeDisk::open(&path, size, block, true).unwrap();
        let places = [
            (0, 512),
            (512, 1),
            (511, 2),
            (4095, 4098),
            (70_001, 300_000),
            (size - 1, 1),
            (262_143, 3),
            (8192, 4096),
        ];
        for (number, (at, length)) in places.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..length).map(|n| (n + number + block as usize) as u8).collect();
            disk.write_at(at, &bytes).unwrap();
            model[at as usize..at as usize + length].copy_from_slice(&bytes);
            let mut seen = vec![0; length + 1000.min((size - at) as usize - length)];
            disk.read_uncached_at(at, &mut seen).unwrap();
            assert_eq!(seen, model[at as usize..at as usize + seen.len()], "{at} {length}");
        }
        disk.flush().unwrap();
        assert!(std::fs::read(&path).unwrap() == model, "something else was changed");
    }
    let mut disk = WholeDisk::open(&path, size, 512, true).unwrap();
    assert!(disk.write_at(size - 1, &[1, 2]).is_err());
    assert!(disk.write_at(size, &[1; 512]).is_err());
    assert!(disk.read_at(u64::MAX, &mut [0]).is_err());
    assert_eq!(std::fs::read(&path).unwrap().len() as u64, size);
}

/// Else what is read back could come from memory that never reached the disk.
#[test]
fn the_disk_is_open_past_the_page_cache() {
    let world = World::new(&System::new("1.0.0"));
    let path = world.path("/dev/vda");
    let _disk = WholeDisk::open(&path, SIZE, 512, true).unwrap();
    let mut flags = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        if std::fs::read_link(entry.path()).is_ok_and(|target| target == path) {
            let info =
                std::fs::read_to_string(format!("/proc/self/fdinfo/{}", entry.file_name().to_string_lossy()));
            let info = info.unwrap();
            let octal = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
            flags.push(u32::from_str_radix(&octal, 8).unwrap());
        }
    }
    assert_eq!(flags.len(), 1);
    assert_ne!(flags[0] & rustix::fs::OFlags::DIRECT.bits(), 0);
}

#[test]
fn a_disk_that_is_only_read_is_not_written_to() {
    let world = World::new(&System::new("1.0.0"));
    let mut disk = WholeDisk::open(&world.path("/dev/vda"), SIZE, 512, false).unwrap();
    assert!(disk.write_at(0, &[1]).is_err());
}

/// Reads of the ESP end where a file ends, though the device is read in whole blocks.
#[test]
fn kernels_are_read_back_to_their_last_byte() {
    let folder = TempDir::new().unwrap();
    let mut esp = Kernels::open(rustix::fs::CWD, folder.path()).unwrap();
    let bytes: Vec<u8> = (0..300_001).map(|n| (n / 5) as u8).collect();
    esp.create("geminios_1.0.0+3.efi").unwrap();
    bytes.chunks(70_000).for_each(|piece| esp.append("geminios_1.0.0+3.efi", piece).unwrap());
    esp.sync("geminios_1.0.0+3.efi").unwrap();
    esp.sync_folder().unwrap();
    let mut seen: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 65_537];
    loop {
        match esp.read_uncached_at("geminios_1.0.0+3.efi", seen.len() as u64, &mut buffer).unwrap() {
            0 => break,
            read => seen.extend(&buffer[..read]),
        }
    }
    assert!(seen == bytes);
    assert_eq!(esp.list().unwrap(), [("geminios_1.0.0+3.efi".to_owned(), 300_001)]);
    let again = esp.create("geminios_1.0.0+3.efi").unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
    esp.overwrite("geminios_1.0.0+3.efi", 0, b"MZ").unwrap();
    esp.remove("geminios_1.0.0+3.efi").unwrap();
    assert!(esp.list().unwrap().is_empty() && esp.writable());
}

#[test]
fn an_installation_from_slot_to_slot() {
    let (one, two) = (System::new("1.0.0"), System::new("2.0.0"));
    let world = plain(&one);
    sgdisk_accepts(&world, "as it was made");
    world.boot("geminios_1.0.0+3.efi", &one);
    world.bless();
    world.install(&two);
    assert_eq!(world.kernels(), ["geminios_1.0.0.efi", "geminios_2.0.0+3.efi"]);
    sgdisk_accepts(&world, "with other PARTUUIDs");
    let disk = std::fs::read(world.path("/dev/vda")).unwrap();
    let at = |number: usize| &disk[number << 20..];
    assert!(at(4).starts_with(&two.root) && at(5).starts_with(&two.verity), "slot B has version 2");
    assert!(at(2).starts_with(&one.root) && at(3).starts_with(&one.verity), "slot A is as it was");

    world.boot("geminios_2.0.0+3.efi", &two);
    let mut machine = world.machine();
    let seen = machine.observe().unwrap();
    assert_eq!(seen.running_slot(), Some(Slot::B));
    assert_eq!(seen.state(&*machine.backend, Slot::B), State::Trying(2));
}

#[test]
fn a_torn_table_is_mended_at_the_next_start() {
    let one = System::new("1.0.0");
    let world = World::new(&one);
    let disk = File::options().write(true).open(world.path("/dev/vda")).unwrap();
    disk.write_all_at(&[0xff; 512], 1024).unwrap();
    let (done, seen) = world.machine().recover().unwrap();
    assert!(
        done.iter().any(|step| step == "write the primary partition table: as the other copy"),
        "{done:?}"
    );
    assert!(seen.primary.is_ok());
    sgdisk_accepts(&world, "mended");
}

#[test]
fn a_table_of_blocks_of_4096_bytes() {
    let one = System::new("1.0.0");
    let world = World::new(&one);
    let file = File::options().write(true).open(world.path("/dev/vda")).unwrap();
    let rows: Vec<table::Row> = crate::world::rows(&one);
    table::write(&file, SIZE, 4096, &rows);
    world.write("/sys/devices/pci0000:00/virtio1/block/vda/queue/logical_block_size", "4096\n");
    let seen = world.machine().observe().unwrap();
    assert_eq!((seen.running_slot(), seen.backup.is_ok()), (Some(Slot::A), true));
}

/// Without sgdisk this is skipped with a word; GEMINIOS_ORACLES=required makes it fail.
fn sgdisk_accepts(world: &World, when: &str) {
    match Command::new("/usr/sbin/sgdisk").arg("--verify").arg(world.path("/dev/vda")).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("No problems found"), "{when}: {said}");
        }
        Err(error) => {
            println!("skipped: sgdisk: {error}");
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "sgdisk: {error}");
        }
    }
}
