//! Looks at a disk image: its partitions, and what the EFI system partition would start.

use std::path::{Path, PathBuf};

use geminios_boot::{Esp, section};
use geminios_model::Digest;
use geminios_seal::Region;

use crate::error::DiskError;
use crate::gpt::{Partition, Table};

/// What is on a disk image.
#[derive(Clone, Debug)]
pub struct Layout {
    pub path: PathBuf,
    pub table: Table,
    /// Files of the EFI system partition and their sizes, sorted by path.
    pub esp: Vec<(String, u64)>,
    /// The kernels that the boot loader would show.
    pub kernels: Vec<Kernel>,
}

/// A unified kernel image on the EFI system partition.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub path: String,
    pub cmdline: String,
    /// `roothash=` of the command line.
    pub root_hash: Option<Digest>,
    pub os_release: String,
    pub uname: String,
}

impl Layout {
    /// Reads an image. It may come from anywhere: nothing in it is trusted.
    ///
    /// # Errors
    /// It cannot be read, has no partition table, or its EFI system partition is damaged.
    pub fn read(path: &Path) -> Result<Self, DiskError> {
        let disk = Region::whole(path).map_err(DiskError::io(path))?;
        let table = Table::decode(disk.size(), |at, size| {
            let mut bytes = vec![0; size];
            disk.read_at(&mut bytes, at).ok().map(|()| bytes)
        });
        let no_image = |why: &str| DiskError::NoImage { path: path.to_owned(), why: why.to_owned() };
        let table = table.map_err(no_image)?;
        let partition = table.partitions.iter().find(|p| p.name == "esp");
        let partition = partition.ok_or_else(|| no_image("it has no partition `esp`"))?;
        let esp = Esp::open(path, partition.start, partition.size)?;
        let files = esp.files()?;
        let kernels = files.iter().map(|(path, _)| path).filter(|path| is_kernel(path));
        let kernels =
            kernels.map(|path| Ok(Kernel::from(path, &esp.read(path)?))).collect::<Result<_, DiskError>>()?;
        Ok(Layout { path: path.to_owned(), esp: files, kernels, table })
    }

    /// A partition, by its name.
    pub fn partition(&self, name: &str) -> Option<&Partition> {
        self.table.partitions.iter().find(|partition| partition.name == name)
    }

    /// The bytes of a partition, by its name.
    ///
    /// # Errors
    /// There is none, or the image cannot be read.
    pub fn region(&self, name: &str) -> Result<Region, DiskError> {
        let why =
            || DiskError::NoImage { path: self.path.clone(), why: format!("it has no partition `{name}`") };
        let partition = self.partition(name).ok_or_else(why)?;
        Region::part(&self.path, partition.start, partition.size).map_err(DiskError::io(&self.path))
    }
}

impl Kernel {
    fn from(path: &str, program: &[u8]) -> Self {
        let text =
            |name| String::from_utf8_lossy(section(program, name).unwrap_or_default()).trim().to_owned();
        let cmdline = text(".cmdline");
        let root_hash =
            cmdline.split_whitespace().find_map(|word| word.strip_prefix("roothash=")?.parse().ok());
        Kernel {
            path: path.to_owned(),
            root_hash,
            os_release: text(".osrel"),
            uname: text(".uname"),
            cmdline,
        }
    }
}

/// Where Type #2 entries live (Boot Loader Specification); FAT does not tell cases apart.
fn is_kernel(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.starts_with("efi/linux/") && path.ends_with(".efi")
}

#[cfg(test)]
mod tests;
