//! Which files a bundle has, and where.

use std::collections::BTreeMap;
use std::io;

use crate::name::TargetName;

use super::header::{BLOCK, padding, parse};

/// Most files of a bundle, so that their names take less than 32 MiB of memory.
pub const FILES: usize = 65_536;

/// Where a file lies in a bundle. Bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub offset: u64,
    pub size: u64,
}

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("it is cut at byte {at}, within {within}\n  help: copy it again; its size is wrong")]
    Cut { at: u64, within: String },
    #[error(
        "the header at byte {at}, after {after}, is none of a bundle\n  help: it is damaged, or no bundle; copy it again"
    )]
    Header { at: u64, after: String },
    #[error("{name}: {rule}\n  help: it is no bundle, or somebody changed it")]
    Name { name: String, rule: &'static str },
    #[error("{name}: the padding after it is not zero\n  help: it is damaged; copy it again")]
    Padding { name: String },
    #[error("more than {FILES} files\n  help: it is no bundle, or somebody changed it")]
    Files,
    #[error("bytes follow its end at byte {at}\n  help: it is damaged; copy it again")]
    After { at: u64 },
    #[error(
        "{within} cannot be read: {error}\n  help: try again; if it stays so, copy the bundle to another medium"
    )]
    Io { within: String, error: io::Error },
}

/// Gives the place of each file of a bundle of `size` bytes. `read_at` fills a buffer with the bytes from an offset; it is
/// asked for headers and padding only, at most 1,024 bytes a file, in order.
pub fn index(
    size: u64,
    read_at: &mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
) -> Result<BTreeMap<String, Entry>, BundleError> {
    let mut input = Input { size, read_at };
    let mut entries = BTreeMap::new();
    let (mut at, mut last) = (0, "its begin".to_owned());
    loop {
        let block = input.block(at, &format!("the header after {last}"))?;
        if block == [0; BLOCK] {
            break;
        }
        let Some((name, length)) = parse(&block) else {
            return Err(BundleError::Header { at, after: last });
        };
        if let Err(rule) = TargetName::parse(&name) {
            return Err(BundleError::Name { name: name.escape_debug().to_string(), rule });
        }
        if entries.len() == FILES {
            return Err(BundleError::Files);
        }
        let entry = Entry { offset: at + BLOCK as u64, size: length };
        at = input.after(entry, &name)?;
        if entries.insert(name.clone(), entry).is_some() {
            return Err(BundleError::Name { name, rule: "each name once" });
        }
        last = name;
    }
    at += BLOCK as u64;
    let after = input.block(at, "its end")? != [0; BLOCK] || input.size > at + BLOCK as u64;
    if after { Err(BundleError::After { at }) } else { Ok(entries) }
}

struct Input<'a> {
    size: u64,
    read_at: &'a mut dyn FnMut(u64, &mut [u8]) -> io::Result<()>,
}

impl Input<'_> {
    fn block(&mut self, at: u64, within: &str) -> Result<[u8; BLOCK], BundleError> {
        let mut block = [0; BLOCK];
        self.fill(at, &mut block, within)?;
        Ok(block)
    }

    /// Where the next header is; what lies between is zero.
    fn after(&mut self, entry: Entry, name: &str) -> Result<u64, BundleError> {
        let end = entry.offset + entry.size;
        let mut pad = [0; BLOCK];
        let pad = &mut pad[..padding(entry.size)];
        self.fill(end, pad, name)?;
        if pad.iter().any(|byte| *byte != 0) {
            return Err(BundleError::Padding { name: name.to_owned() });
        }
        Ok(end + pad.len() as u64)
    }

    fn fill(&mut self, at: u64, buffer: &mut [u8], within: &str) -> Result<(), BundleError> {
        if self.size < at + buffer.len() as u64 {
            return Err(BundleError::Cut { at: self.size, within: within.to_owned() });
        }
        if buffer.is_empty() {
            return Ok(());
        }
        let unread = |error: io::Error| BundleError::Io { within: within.to_owned(), error };
        (self.read_at)(at, buffer).map_err(unread)
    }
}
