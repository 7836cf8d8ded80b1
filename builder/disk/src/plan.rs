//! What goes where on the disk, as data.

use std::fmt;
use std::path::{Path, PathBuf};

use geminios_model::{Arch, Sizes};
use geminios_seal::Sealed;

use crate::bmap::Range;
use crate::error::DiskError;
use crate::gpt::{NO_AUTO, Partition, READ_ONLY, Table};
use crate::guid::Guid;

const MIB: u64 = 1 << 20;
const ESP: &str = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
/// "Generic Linux data" (Discoverable Partitions Specification).
const DATA: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";

/// A disk image to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub table: Table,
    /// Files and the byte they begin at, in the order of the disk.
    pub contents: Vec<(u64, PathBuf)>,
    /// Bytes that a disk of any past must be given; elsewhere nobody looks before writing.
    pub mapped: Vec<Range>,
    /// Bytes of the smallest disk it fits on, with room for /var.
    pub smallest_disk: u64,
}

impl Plan {
    /// Lays out ESP, slots A and B, and config. B is empty; config is all zero, the identity of the device with it.
    ///
    /// Root PARTUUID is the first half of the root hash, verity PARTUUID the second (systemd-gpt-auto-generator(8)):
    /// a kernel with `roothash=` finds its own slot.
    ///
    /// # Errors
    /// A part does not fit into its partition.
    pub fn new(
        profile: &str,
        arch: Arch,
        sizes: &Sizes,
        sealed: &Sealed,
        esp: &Path,
    ) -> Result<Self, DiskError> {
        let esp_size = std::fs::metadata(esp).map_err(DiskError::io(esp))?.len();
        let hash = sealed.root_hash.bytes();
        let half = |at: usize| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&hash[at..at + 16]);
            Guid::new(bytes)
        };
        let derived =
            |name: &str| Guid::derived(&[b"geminios partition", name.as_bytes(), profile.as_bytes(), hash]);
        let (root, verity) = (known(arch.root_type())?, known(arch.root_verity_type())?);
        let rows = [
            ("esp", known(ESP)?, derived("esp"), *sizes.esp, 0, Some((esp, esp_size))),
            ("root-a", root, half(0), *sizes.root, READ_ONLY, Some((&*sealed.erofs, sealed.erofs_size))),
            (
                "root-a-verity",
                verity,
                half(16),
                *sizes.root_verity,
                READ_ONLY,
                Some((&*sealed.verity, sealed.verity_size)),
            ),
            ("root-b", root, derived("root-b"), *sizes.root, READ_ONLY | NO_AUTO, None),
            (
                "root-b-verity",
                verity,
                derived("root-b-verity"),
                *sizes.root_verity,
                READ_ONLY | NO_AUTO,
                None,
            ),
            ("config", known(DATA)?, derived("config"), *sizes.config, NO_AUTO, None),
        ];
        let mut plan = Plan {
            table: Table { disk: derived("disk"), size: 0, partitions: Vec::new() },
            contents: Vec::new(),
            mapped: vec![Range { start: 0, size: MIB }],
            smallest_disk: 0,
        };
        let mut start = MIB;
        for (name, kind, guid, mib, attributes, content) in rows {
            let partition =
                Partition { name: name.to_owned(), kind, guid, start, size: mib * MIB, attributes };
            if let Some((file, size)) = content {
                if size > partition.size {
                    return Err(DiskError::TooLarge { partition: name, size, room: partition.size });
                }
                plan.contents.push((start, file.to_owned()));
            }
            plan.mapped.push(mapped(&partition, content.map(|(_, size)| size)));
            start += partition.size;
            plan.table.partitions.push(partition);
        }
        plan.mapped.push(Range { start, size: MIB });
        plan.table.size = start + MIB;
        plan.smallest_disk = plan.table.size + *sizes.var_min * MIB;
        Ok(plan)
    }
}

/// What of a partition must be written on any disk. An empty slot loses only what an older system might be known by.
fn mapped(partition: &Partition, content: Option<u64>) -> Range {
    let size = match (partition.name.as_str(), content) {
        (_, Some(size)) => size.next_multiple_of(crate::bmap::BLOCK),
        ("config", None) => partition.size,
        (_, None) => MIB.min(partition.size),
    };
    Range { start: partition.start, size }
}

fn known(text: &str) -> Result<Guid, DiskError> {
    text.parse().map_err(DiskError::Guid)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "disk {} {} MiB, smallest {} MiB",
            self.table.disk,
            self.table.size / MIB,
            self.smallest_disk / MIB
        )?;
        for p in &self.table.partitions {
            let file = self.contents.iter().find(|(start, _)| *start == p.start);
            let file =
                file.and_then(|(_, path)| path.file_name()).map_or("-".into(), |name| name.to_string_lossy());
            let (start, size) = (p.start / MIB, p.size / MIB);
            writeln!(
                f,
                "{:<14} at {start:>5} size {size:>5} type {} id {} flags {:016x} {file}",
                p.name, p.kind, p.guid, p.attributes
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
