//! Sticks as the kernel tells of them, on a made-up /sys.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::rc::Rc;

use geminios_updater::supply::{Sticks as _, UsbSticks};

fn disk(root: &Path, name: &str, bus: &str, removable: bool, parts: &[(&str, bool)]) {
    let device = root.join(format!("sys/devices/pci0000:00/{bus}/block/{name}"));
    let all = std::iter::once((name, &device, false)).collect::<Vec<_>>();
    fs::create_dir_all(device.join("holders")).unwrap();
    fs::write(device.join("removable"), if removable { "1\n" } else { "0\n" }).unwrap();
    fs::create_dir_all(root.join("sys/class/block")).unwrap();
    for (name, path, _) in all {
        symlink(path, root.join("sys/class/block").join(name)).unwrap();
        fs::write(path.join("dev"), format!("8:{}\n", name.len())).unwrap();
    }
    for (number, (part, held)) in parts.iter().enumerate() {
        let path = device.join(part);
        fs::create_dir_all(path.join("holders")).unwrap();
        if *held {
            fs::create_dir_all(path.join("holders/dm-0")).unwrap();
        }
        fs::write(path.join("partition"), "1\n").unwrap();
        let number = name.bytes().map(usize::from).sum::<usize>() * 10 + number;
        fs::write(path.join("dev"), format!("8:{number}\n")).unwrap();
        symlink(&path, root.join("sys/class/block").join(part)).unwrap();
    }
}

/// What is mounted already is used where it is; the disk that the system runs from, and disks that are built in, are not looked at.
#[test]
fn which_partitions_are_sticks() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let usb = "usb1/1-2/host6/target6:0:0/6:0:0:0";
    disk(root, "sda", "ata1/host0/target0:0:0/0:0:0:0", false, &[("sda1", false)]);
    disk(root, "sdb", usb, false, &[("sdb1", false), ("sdb2", false)]);
    disk(root, "sdc", usb, true, &[("sdc1", true), ("sdc2", false)]);
    disk(root, "sdd", "ata2/host1/target1:0:0/1:0:0:0", true, &[]);
    let number =
        |part: &str| fs::read_to_string(root.join("sys/class/block").join(part).join("dev")).unwrap();
    fs::create_dir_all(root.join("proc/self")).unwrap();
    let mounts: String = ["sda1", "sdb2", "sdc2", "sdd"]
        .iter()
        .map(|part| format!("30 1 {} / /media/{part} rw - vfat /dev/{part} rw\n", number(part).trim()))
        .collect();
    fs::write(root.join("proc/self/mountinfo"), mounts).unwrap();
    fs::create_dir_all(root.join("dev")).unwrap();
    fs::write(root.join("dev/sdb1"), vec![0; 4096]).unwrap();

    let said = Rc::new(std::cell::RefCell::new(Vec::new()));
    let tell = said.clone();
    let sticks = UsbSticks { root: root.to_owned() }
        .plugged(&(Rc::new(move |line: &str| tell.borrow_mut().push(line.to_owned())) as _));
    let seen: Vec<String> = sticks.iter().map(|stick| stick.folder.display().to_string()).collect();
    // sdb1 has no file system that is known.
    assert_eq!(seen, ["/media/sdb2", "/media/sdd"], "{:?}", said.borrow());
}
