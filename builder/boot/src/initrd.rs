//! The initrd: a cpio archive in the kernel's format (kernel documentation,
//! driver-api/early-userspace/buffer-format.rst), compressed.

use std::io::Write;

use geminios_compose::{Node, Tree};
use geminios_model::TreePath;
use liblzma::stream::{Check, Filters, LzmaOptions, Stream};
use liblzma::write::XzEncoder;

use crate::error::BootError;

/// Higher presets gain less than 0.01 %. Its 8 MiB dictionary is what the kernel reserves while it unpacks.
const PRESET: u32 = 6;

/// A tree as a compressed initrd, with a `/dev/console` added: the kernel opens it for the init before anything
/// can be mounted.
///
/// xz and not zstd: all Debian kernels read it (CONFIG_RD_XZ), and a real initrd of modules and one program was 11 %
/// smaller than with `zstd -19`. The x86 filter made it larger.
///
/// # Errors
/// The tree's content cannot be read.
pub fn initrd(tree: &Tree) -> Result<Vec<u8>, BootError> {
    compress(&cpio(tree)?).map_err(BootError::Compress)
}

fn compress(archive: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut filters = Filters::new();
    filters.lzma2(&LzmaOptions::new_preset(PRESET)?);
    // The kernel's reader knows no check but CRC32 (kernel documentation, staging/xz.rst).
    let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
    let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(archive)?;
    encoder.finish()
}

/// The archive before it is compressed: in the tree's order, inodes counted from 1.
fn cpio(tree: &Tree) -> Result<Vec<u8>, BootError> {
    let mut archive = Archive::default();
    let mut console = false;
    for (path, entry) in tree.iter() {
        let member = Member { mode: entry.mode & 0o7777, uid: entry.uid, gid: entry.gid, mtime: entry.mtime };
        match &entry.node {
            Node::Directory if path.as_str() == "/" => continue,
            Node::Directory => archive.add(path.relative(), 0o040_000, &member, (0, 0), b""),
            Node::Symlink(target) => {
                archive.add(path.relative(), 0o120_000, &member, (0, 0), target.as_bytes())
            }
            Node::File(content) => {
                let failed = |error| BootError::Content { path: path.clone(), error };
                archive.add(path.relative(), 0o100_000, &member, (0, 0), &content.read().map_err(failed)?);
            }
        }
        if path.as_str() == "/dev" {
            archive.console(entry.mtime);
            console = true;
        }
    }
    if !console {
        let mtime = tree.get(&TreePath::root()).map_or(0, |root| root.mtime);
        archive.add("dev", 0o040_000, &Member { mode: 0o755, uid: 0, gid: 0, mtime }, (0, 0), b"");
        archive.console(mtime);
    }
    Ok(archive.finish())
}

struct Member {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: u64,
}

#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    members: u32,
}

impl Archive {
    fn console(&mut self, mtime: u64) {
        self.add("dev/console", 0o020_000, &Member { mode: 0o600, uid: 0, gid: 0, mtime }, (5, 1), b"");
    }

    fn add(&mut self, name: &str, kind: u32, member: &Member, device: (u32, u32), data: &[u8]) {
        self.members += 1;
        let links = if kind == 0o040_000 { 2 } else { 1 };
        // The format has 32 bits for a time; it ends in 2106.
        let mtime = u32::try_from(member.mtime).unwrap_or(u32::MAX);
        let mode = kind | member.mode;
        self.record(self.members, [mode, member.uid, member.gid, links, mtime], device, name, data);
    }

    fn record(
        &mut self,
        inode: u32,
        [mode, uid, gid, links, mtime]: [u32; 5],
        device: (u32, u32),
        name: &str,
        data: &[u8],
    ) {
        let size = data.len() as u32;
        let fields =
            [inode, mode, uid, gid, links, mtime, size, 0, 0, device.0, device.1, name.len() as u32 + 1, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
        self.pad(4);
        self.bytes.extend(data);
        self.pad(4);
    }

    fn pad(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.record(0, [0, 0, 0, 1, 0], (0, 0), "TRAILER!!!", b"");
        self.pad(512);
        self.bytes
    }
}

#[cfg(test)]
mod tests;
