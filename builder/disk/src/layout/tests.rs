use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use geminios_model::Silent;
use geminios_seal::{Corruption, verify};

use super::Layout;
use crate::error::DiskError;
use crate::image::write;
use crate::sample::Sample;

fn image(sample: &Sample) -> std::path::PathBuf {
    write(&sample.plan(), sample.dir.path(), "disk.raw", false, &Silent).expect("written").image.path
}

#[test]
fn an_image_tells_what_is_on_it() {
    let sample = Sample::new();
    let layout = Layout::read(&image(&sample)).expect("an image");
    assert_eq!(layout.table, sample.plan().table);
    let [kernel] = &layout.kernels[..] else { panic!("{} kernels", layout.kernels.len()) };
    assert_eq!(kernel.path, "EFI/Linux/geminios_1+3.efi");
    assert_eq!((kernel.os_release.as_str(), kernel.uname.as_str()), ("ID=geminios", "6.12"));
    assert_eq!(kernel.root_hash, Some(sample.sealed.root_hash));
    let region = |name| layout.region(name).expect("a partition");
    verify(&region("root-a"), &region("root-a-verity"), &sample.sealed.root_hash).expect("whole");
    assert!(layout.region("var").is_err());
}

#[test]
fn a_flipped_bit_in_the_image_is_found() {
    let sample = Sample::new();
    let path = image(&sample);
    let layout = Layout::read(&path).expect("an image");
    let start = layout.partition("root-a").expect("a slot").start;
    let disk = File::options().read(true).write(true).open(&path).expect("opened");
    let mut byte = [0];
    disk.read_exact_at(&mut byte, start + 5 * 4096).expect("read");
    disk.write_all_at(&[byte[0] ^ 1], start + 5 * 4096).expect("written");
    let region = |name| layout.region(name).expect("a partition");
    let found = verify(&region("root-a"), &region("root-a-verity"), &sample.sealed.root_hash)
        .expect_err("a flipped bit");
    assert!(matches!(found, Corruption::Root { block: 5 }), "{found}");
}

#[test]
fn what_is_no_image_is_refused() {
    let sample = Sample::new();
    let path = sample.dir.path().join("other");
    for (bytes, why) in [(vec![], "it is empty"), (vec![0; 4096], "it has no GUID partition table")] {
        fs::write(&path, bytes).expect("written");
        let error = Layout::read(&path).expect_err("no image");
        assert!(matches!(&error, DiskError::NoImage { why: said, .. } if said == why), "{error}");
    }
    assert!(matches!(Layout::read(&sample.dir.path().join("absent")), Err(DiskError::Io { .. })));
}

#[test]
fn an_image_cut_anywhere_is_refused() {
    let sample = Sample::new();
    let path = image(&sample);
    for mib in [0, 1, 2, 20, 34] {
        File::options().write(true).open(&path).and_then(|file| file.set_len(mib << 20)).expect("cut");
        assert!(Layout::read(&path).is_err(), "{mib} MiB");
        image(&sample);
    }
}

/// Neither the sections nor the command line of a kernel are trusted.
#[test]
fn hostile_kernels_stop_nothing() {
    for length in 0..600 {
        super::Kernel::from("EFI/Linux/x.efi", &vec![0x4d; length]);
    }
}
