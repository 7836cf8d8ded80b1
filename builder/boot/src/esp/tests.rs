use std::path::Path;

use geminios_model::Arch;
use tempfile::TempDir;

use super::{Esp, EspFile, cluster, room, write_esp};
use crate::error::BootError;

const MIB: u64 = 1 << 20;

fn files() -> Vec<EspFile> {
    EspFile::for_uefi(Arch::Amd64, "1.2~rc1", vec![0xab; 3_000_000], b"loader")
}

fn written(dir: &TempDir, name: &str) -> std::path::PathBuf {
    let path = dir.path().join(name);
    write_esp(&files(), 64 * MIB, 0x1234_5678, 1_700_000_000, &path).expect("written");
    path
}

#[test]
fn what_went_in_is_read_back() {
    let dir = TempDir::new().expect("a folder");
    let esp = Esp::open(&written(&dir, "esp"), 0, 64 * MIB).expect("opened");
    let expected = [
        ("EFI/BOOT/BOOTX64.EFI", 6),
        ("EFI/Linux/geminios_1.2~rc1+3.efi", 3_000_000),
        ("EFI/systemd/systemd-bootx64.efi", 6),
        ("loader/entries.srel", 6),
        ("loader/loader.conf", 38),
    ];
    assert_eq!(esp.files().expect("files"), expected.map(|(path, size)| (path.to_owned(), size)));
    assert_eq!(esp.read("EFI/Linux/geminios_1.2~rc1+3.efi").expect("the kernel"), vec![0xab; 3_000_000]);
    assert_eq!(
        esp.read("loader/loader.conf").expect("the file"),
        b"timeout 0\neditor no\nconsole-mode keep\n".to_vec()
    );
}

#[test]
fn the_same_files_give_the_same_bytes() {
    let dir = TempDir::new().expect("a folder");
    let read = |name| std::fs::read(written(&dir, name)).expect("bytes");
    assert!(read("one") == read("two"), "two partitions of the same files differ");
}

#[test]
fn a_partition_too_small_says_what_weighs() {
    let dir = TempDir::new().expect("a folder");
    let files = EspFile::for_uefi(Arch::Amd64, "1", vec![0; 42_000_000], b"loader");
    let path = dir.path().join("esp");
    let error = write_esp(&files, 40 * MIB, 0, 0, &path).expect_err("too small");
    assert!(matches!(&error, BootError::EspTooSmall { size, .. } if *size == 40 * MIB), "{error}");
    assert!(error.to_string().contains("42000000  EFI/Linux/geminios_1+3.efi"), "{error}");
    assert!(!path.exists(), "nothing is half-written");
}

/// The check before writing lets through what the file system then takes, and little less.
#[test]
fn files_that_just_fit_are_written() {
    let dir = TempDir::new().expect("a folder");
    for mib in [34, 69, 135] {
        let (path, room) = (dir.path().join(mib.to_string()), room(mib * MIB));
        assert!(room > mib * MIB * 95 / 100, "{room} bytes of {mib} MiB can be used");
        // As many clusters as there are, less one that is counted for the folder.
        let file = |size: u64| vec![EspFile { path: "a/b".into(), bytes: vec![1; size as usize].into() }];
        write_esp(&file(room - cluster(mib * MIB)), mib * MIB, 0, 0, &path).expect("it fits");
        let error = write_esp(&file(room), mib * MIB, 0, 0, &path).expect_err("one cluster too much");
        assert!(matches!(error, BootError::EspTooSmall { .. }), "{error}");
    }
}

#[test]
fn a_partition_below_fat32_is_refused() {
    let dir = TempDir::new().expect("a folder");
    let error = write_esp(&[], 33 * MIB, 0, 0, &dir.path().join("esp")).expect_err("too small");
    assert!(matches!(error, BootError::EspBelowFat32(_)), "{error}");
}

/// A damaged or hostile partition is read or refused; nothing else happens.
#[test]
fn hostile_bytes_stop_nothing() {
    let dir = TempDir::new().expect("a folder");
    let path = dir.path().join("esp");
    let file = EspFile { path: "EFI/Linux/a long name of a file.efi".into(), bytes: vec![1; 5000].into() };
    write_esp(&[file], 34 * MIB, 0, 0, &path).expect("written");
    let good = std::fs::read(&path).expect("bytes");
    let fat = 32 * 512;
    let data = good.windows(11).position(|name| name == b"EFI        ").expect("the root folder");
    let places = (0..96).chain(fat..fat + 48).chain(data..data + 64).chain(data + 512..data + 600);
    for at in places {
        for value in [0x00, 0x01, 0x80, 0xff] {
            overwrite(&path, at as u64, &[value]);
            if let Ok(esp) = Esp::open(&path, 0, 34 * MIB) {
                for (name, _) in esp.files().unwrap_or_default() {
                    drop(esp.read(&name));
                }
            }
        }
        overwrite(&path, at as u64, &good[at..=at]);
    }
    assert!(Esp::open(&path, 34 * MIB, 34 * MIB).is_err(), "beyond the end");
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::options().write(true).open(path).expect("opened");
    file.write_all_at(bytes, at).expect("written");
}
