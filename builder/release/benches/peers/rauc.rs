//! RAUC's adaptive updates, computed: `rauc install` needs device-mapper, NBD and a boot loader, which a host need not have.
//!
//! A real bundle is made with `adaptive=block-hash-index`. A device hashes or knows the blocks of 4 KiB of its old slot, takes those
//! from there that the bundle's index names, and reads the others from the bundle's squashfs, which it can only do by whole squashfs
//! blocks. Counted are the index and those blocks as they lie in the bundle, each once. Not counted are the bundle's hash tree,
//! signature, manifest and inodes, and blocks that are read twice: what is counted is less than what RAUC would fetch.

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use geminios_release::Digest;

use crate::pair::{IMAGES, Pair, Side};
use crate::squashfs::Squashfs;
use crate::table::Row;

/// Name, and the size of squashfs blocks: as RAUC makes bundles, and the finest there is. Both by zstd, so as to be small.
pub const WAYS: [(&str, &str); 2] = [
    ("RAUC adaptive, computed lower bound", "128K"),
    ("RAUC adaptive with squashfs blocks of 4 KiB, computed lower bound", "4K"),
];

const BLOCK: usize = 4096;

pub fn measure(pair: &Pair, scratch: &Path, way: (&str, &str)) -> Result<Row, String> {
    let (name, block) = way;
    for (program, package) in [
        ("rauc", "rauc"),
        ("mksquashfs", "squashfs-tools"),
        ("unsquashfs", "squashfs-tools"),
        ("openssl", "openssl"),
    ] {
        let flag = if program == "openssl" { "version" } else { "--version" };
        if Command::new(program).arg(flag).output().is_err() {
            return Err(format!("{name}: {program} is not installed: apt install {package}"));
        }
    }
    let folder = scratch.join(format!("rauc-{block}"));
    let bundle = bundle(&pair.new, &folder, block);
    let squashfs = Squashfs::open(&bundle);
    let mut indexes = 0;
    let bytes = [0, 1, 2].map(|image| {
        let have: HashSet<Digest> = hashes(&std::fs::read(&pair.old.files[image]).unwrap()).collect();
        let index = index(&bundle, &folder, image);
        assert_eq!(index, hashes(&std::fs::read(&pair.new.files[image]).unwrap()).collect::<Vec<_>>());
        indexes += (index.len() * size_of::<Digest>()) as u64;
        let file = squashfs.file(pair.new.sizes[image].next_multiple_of(BLOCK as u64));
        let lacking = index.iter().enumerate().filter(|(_, hash)| !have.contains(hash) && !is_zero(hash));
        let wanted: HashSet<usize> = lacking.map(|(at, _)| at * BLOCK / squashfs.block_size).collect();
        wanted.iter().map(|at| file[*at]).sum()
    });
    std::fs::remove_dir_all(&folder).unwrap();
    Ok(Row::new(name, bytes, indexes))
}

/// The hashes of whole blocks; the last one is filled up with zeroes.
fn hashes(image: &[u8]) -> impl Iterator<Item = Digest> {
    image.chunks(BLOCK).map(|block| {
        let mut filled = [0; BLOCK];
        filled[..block.len()].copy_from_slice(block);
        Digest::of(&filled)
    })
}

fn is_zero(hash: &Digest) -> bool {
    *hash == Digest::of(&[0; BLOCK])
}

fn bundle(new: &Side, folder: &Path, block: &str) -> std::path::PathBuf {
    let content = folder.join("content");
    std::fs::create_dir_all(&content).unwrap();
    let mut manifest = "[update]\ncompatible=benchmark\nversion=2\n[bundle]\nformat=verity\n".to_owned();
    for (name, file) in IMAGES.iter().zip(&new.files) {
        padded(file, &content.join(format!("{name}.img")));
        manifest += &format!("[image.{name}]\nfilename={name}.img\nadaptive=block-hash-index\n");
    }
    std::fs::write(content.join("manifest.raucm"), manifest).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=benchmark"]);
    run(openssl.arg("-keyout").arg(&key).arg("-out").arg(&cert));
    let bundle = folder.join("bundle.raucb");
    let mut rauc = Command::new("rauc");
    rauc.arg("--cert").arg(&cert).arg("--key").arg(&key);
    rauc.arg(format!("--mksquashfs-args=-comp zstd -Xcompression-level 19 -b {block}"));
    run(rauc.arg("bundle").arg(&content).arg(&bundle));
    bundle
}

/// RAUC indexes whole blocks only; a kernel's last one is filled up.
fn padded(file: &Path, to: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    std::fs::write(to, bytes).unwrap();
}

/// The index as it lies in the bundle: SHA-256 after SHA-256.
fn index(bundle: &Path, folder: &Path, image: usize) -> Vec<Digest> {
    let out = folder.join(format!("unpacked-{image}"));
    let mut unsquashfs = Command::new("unsquashfs");
    unsquashfs.args(["-q", "-n", "-no-xattrs", "-d"]).arg(&out).arg(bundle);
    run(unsquashfs.arg(format!("{}.img.block-hash-index", IMAGES[image])));
    let bytes = std::fs::read(out.join(format!("{}.img.block-hash-index", IMAGES[image]))).unwrap();
    bytes.chunks_exact(32).map(|hash| Digest(hash.try_into().unwrap())).collect()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
