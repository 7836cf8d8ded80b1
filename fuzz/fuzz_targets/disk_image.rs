//! A disk image as `inspect` and `diff` read it: partition table, EFI system partition, unified kernel image.
//!
//! An image is 35 MiB, so that the input is what differs from a good one: changes to the sectors that are not empty.
#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use geminios_boot::{EspFile, section, write_esp};
use geminios_disk::Layout;
use geminios_fuzz::reseal_gpt;
use geminios_model::Arch;
use libfuzzer_sys::fuzz_target;

const MIB: usize = 1 << 20;
const SECTOR: usize = 512;
/// Header and entries of a partition table.
const TABLE: usize = 34 * SECTOR;
const UKI: &[u8] = include_bytes!("disk_image.efi");

struct Image {
    path: PathBuf,
    file: File,
    table: Vec<u8>,
    /// Those of the EFI system partition that hold something, and some after them.
    sectors: Vec<usize>,
}

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder").keep();
    let (esp, path) = (dir.join("esp"), dir.join("image"));
    let files = EspFile::for_uefi(Arch::Amd64, "1", UKI.to_vec(), b"loader");
    write_esp(&files, 34 * MIB as u64, 7, 1_700_000_000, &esp).expect("an ESP");
    let esp = std::fs::read(esp).expect("the ESP");
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("an image");
    file.set_len(36 * MIB as u64).expect("room");
    let mut sectors = Vec::new();
    for (i, sector) in
        esp.chunks(SECTOR).enumerate().filter(|(_, sector)| sector.iter().any(|byte| *byte != 0))
    {
        let at = MIB + i * SECTOR;
        file.write_all_at(sector, at as u64).expect("written");
        sectors.push(at);
    }
    let last = sectors[sectors.len() - 1];
    sectors.extend((1..5).map(|i| last + i * SECTOR));
    Image { path, file, table: table(), sectors }
});

/// One partition, `esp`.
fn table() -> Vec<u8> {
    let mut table = vec![0; TABLE];
    let mut put = |at: usize, bytes: &[u8]| table[at..at + bytes.len()].copy_from_slice(bytes);
    let last = 36 * (MIB / SECTOR) as u64 - 1;
    put(SECTOR, b"EFI PART\0\0\x01\0\x5c\0\0\0");
    for (at, number) in [(24, 1), (32, last), (40, 34), (48, last - 33), (72, 2), (80, 128 << 32 | 128)] {
        put(SECTOR + at, &u64::to_le_bytes(number));
    }
    put(2 * SECTOR, &[1; 32]);
    put(2 * SECTOR + 32, &2048u64.to_le_bytes());
    put(2 * SECTOR + 40, &(35 * 2048 - 1u64).to_le_bytes());
    put(2 * SECTOR + 56, b"e\0s\0p\0");
    table
}

fuzz_target!(|input: (Vec<(u16, u16, u8)>, &[u8])| {
    let (changes, program) = input;
    for name in [".cmdline", ".osrel", ".uname"] {
        section(program, name);
    }
    let image = &*IMAGE;
    let mut table = image.table.clone();
    let mut kept = Vec::new();
    for (sector, at, byte) in changes {
        let at = usize::from(at) % SECTOR;
        // A quarter of them change the partition table.
        if sector % 4 == 0 {
            table[SECTOR + usize::from(sector / 4) % 2 * SECTOR + at] = byte;
            continue;
        }
        let at = (image.sectors[usize::from(sector / 4) % image.sectors.len()] + at) as u64;
        let mut before = [0];
        image.file.read_exact_at(&mut before, at).expect("read");
        image.file.write_all_at(&[byte], at).expect("written");
        kept.push((at, before));
    }
    reseal_gpt(&mut table, SECTOR, SECTOR);
    image.file.write_all_at(&table, 0).expect("written");
    match Layout::read(&image.path) {
        Ok(layout) => assert!(layout.partition("esp").is_some()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    for (at, before) in kept.into_iter().rev() {
        image.file.write_all_at(&before, at).expect("written");
    }
});
