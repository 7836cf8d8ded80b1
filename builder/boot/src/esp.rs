//! The EFI system partition: FAT32, the same bytes for the same files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use geminios_model::Arch;
use hadris_fat::sync::{FatFs, write};
use hadris_fat::{FatKind, FatOptions};
use hadris_fs::sync::Volume;
use hadris_fs::{Content, DateTime, FileType, MountOptions, NoClock, Node, Tree};
use hadris_storage::Partition;
use hadris_storage::host::FileDevice;

use crate::error::BootError;

/// FAT32 has at least 65,525 clusters (Microsoft FAT specification, "FAT Type Determination"); some firmware miscounts
/// by a few.
const CLUSTERS: u64 = 65_600;
/// With clusters of 512 bytes.
const SMALLEST: u64 = 34 << 20;
/// Nothing an image puts there is larger.
const LARGEST_FILE: u64 = 256 << 20;

/// `timeout 0`: no menu unless a key is held. `editor no`: nobody at the keyboard changes the root hash.
const LOADER_CONF: &str = "timeout 0\neditor no\nconsole-mode keep\n";

/// A file on the partition.
#[derive(Clone, Debug)]
pub struct EspFile {
    /// Path without a leading `/`.
    pub path: String,
    pub bytes: Arc<[u8]>,
}

impl EspFile {
    /// What a machine with UEFI boots from: the boot loader at its own and at the removable path, and the image's
    /// kernel with three tries (Boot Loader Specification, "Boot counting").
    pub fn for_uefi(arch: Arch, version: &str, uki: Vec<u8>, loader: &[u8]) -> Vec<EspFile> {
        let loader: Arc<[u8]> = loader.into();
        let efi = arch.efi();
        let file = |path: String, bytes: Arc<[u8]>| EspFile { path, bytes };
        vec![
            file(format!("EFI/BOOT/BOOT{}.EFI", efi.to_uppercase()), loader.clone()),
            file(format!("EFI/Linux/geminios_{version}+3.efi"), uki.into()),
            file(format!("EFI/systemd/systemd-boot{efi}.efi"), loader),
            file("loader/entries.srel".into(), b"type1\n".as_slice().into()),
            file("loader/loader.conf".into(), LOADER_CONF.as_bytes().into()),
        ]
    }
}

/// Writes a partition of `size` bytes with these files to a new file `out`, sparse where it is empty. Every time stamp
/// is `epoch`; `serial` is the volume's.
///
/// # Errors
/// The files need more room; `out` cannot be written.
pub fn write_esp(files: &[EspFile], size: u64, serial: u32, epoch: u64, out: &Path) -> Result<(), BootError> {
    if size < SMALLEST {
        return Err(BootError::EspBelowFat32(size));
    }
    // A folder has a cluster too.
    let cluster = cluster(size);
    let needed = files.iter().map(|f| (f.bytes.len() as u64).next_multiple_of(cluster) + cluster).sum();
    if needed > room(size) {
        let files = files.iter().map(|f| (f.path.clone(), f.bytes.len() as u64)).collect();
        return Err(BootError::EspTooSmall { needed, size, files });
    }
    let io = |error| BootError::Io { path: out.to_owned(), error };
    let file = File::options().read(true).write(true).create_new(true).open(out).map_err(io)?;
    file.set_len(size).map_err(io)?;
    let mut tree = Tree::new();
    for file in files {
        let node = Node::file(Content::bytes(file.bytes.to_vec()));
        tree.insert(&file.path, node).map_err(BootError::fat(out, "written"))?;
    }
    let options = FatOptions::new()
        .with_kind(FatKind::Fat32)
        .with_cluster_size(cluster as u32)
        .with_serial(serial)
        .with_time(time(epoch));
    let device = FileDevice::new(file).map_err(io)?;
    write(device, &tree, &options).map(drop).map_err(BootError::fat(out, "written"))
}

/// The largest cluster that leaves enough of them for FAT32: firmware reads a kernel the faster.
fn cluster(size: u64) -> u64 {
    [4096, 2048, 1024].into_iter().find(|cluster| size / (cluster + 8) >= CLUSTERS).unwrap_or(512)
}

/// Bytes in the clusters of a partition: each has 4 bytes in both tables, and some sectors come before those.
fn room(size: u64) -> u64 {
    let cluster = cluster(size);
    (size - (64 << 10)) / (cluster + 8) * cluster
}

/// FAT knows the years 1980 to 2107.
fn time(epoch: u64) -> DateTime {
    let epoch = i64::try_from(epoch).unwrap_or(i64::MAX).clamp(315_532_800, 4_354_819_198);
    DateTime::from_unix_seconds(epoch).unwrap_or(NoClock::TIME)
}

/// An EFI system partition to read from: a file of its own, or a part of a disk image.
pub struct Esp {
    path: PathBuf,
    volume: Volume<FatFs<Partition<FileDevice>>>,
}

impl Esp {
    /// The partition of `size` bytes from `start`.
    ///
    /// # Errors
    /// The file cannot be read; there is no FAT file system.
    pub fn open(path: &Path, start: u64, size: u64) -> Result<Self, BootError> {
        let device =
            FileDevice::open(path).map_err(|error| BootError::Io { path: path.to_owned(), error })?;
        let failed = BootError::fat(path, "read");
        let fs = FatFs::mount(Partition::new(device, start, size), MountOptions::new().read_only());
        match fs {
            Ok(fs) => Ok(Esp { path: path.to_owned(), volume: Volume::new(fs) }),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Paths and sizes of all files, sorted by path.
    ///
    /// # Errors
    /// The file system is damaged.
    pub fn files(&self) -> Result<Vec<(String, u64)>, BootError> {
        let failed = || BootError::fat(&self.path, "read");
        let mut files = Vec::new();
        for entry in self.volume.walk("/").map_err(|error| failed()(error.into()))? {
            let entry = entry.map_err(|error| failed()(error.into()))?;
            if entry.entry().file_type() == FileType::File {
                let path = String::from_utf8_lossy(entry.path());
                files.push((path.trim_start_matches('/').to_owned(), entry.entry().metadata().len()));
            }
        }
        files.sort();
        Ok(files)
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// It is not there or damaged, or larger than any file of an image.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, BootError> {
        let failed = |error: hadris_fs::PathError| BootError::fat(&self.path, "read")(error.with_path(path));
        let size = self.volume.metadata(path).map_err(|error| failed(error.into()))?.len();
        if size > LARGEST_FILE {
            let why = format!("{path} has {size} bytes, more than any file of an image");
            return Err(BootError::Fat { path: self.path.clone(), done: "read", why });
        }
        self.volume.read(path).map_err(|error| failed(error.into()))
    }
}

#[cfg(test)]
mod tests;
