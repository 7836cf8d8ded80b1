//! What a bundle has, and whether it is whole.

use std::collections::BTreeMap;
use std::io::{self, Read};

use geminios_update_format::name::TargetName;

use crate::bundle::tar::{BLOCK, padding, parse};

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
    #[error("bytes follow its end at byte {at}\n  help: it is damaged; copy it again")]
    After { at: u64 },
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a bundle from begin to end and gives the place of each file. Memory is that of the names.
pub fn index(input: &mut dyn Read) -> Result<BTreeMap<String, Entry>, BundleError> {
    let mut input = Input { input, at: 0 };
    let mut entries = BTreeMap::new();
    let mut last = "its begin".to_owned();
    loop {
        let start = input.at;
        let block = input.block(&format!("the header after {last}"))?;
        if block == [0; BLOCK] {
            break;
        }
        let header = || BundleError::Header { at: start, after: last.clone() };
        let (name, size) = parse(&block).ok_or_else(header)?;
        if let Err(rule) = TargetName::parse(&name) {
            return Err(BundleError::Name { name, rule });
        }
        let entry = Entry { offset: input.at, size };
        input.skip(size, &name)?;
        let mut pad = [0; BLOCK];
        let pad = &mut pad[..padding(size)];
        input.fill(pad, &name)?;
        if pad.iter().any(|byte| *byte != 0) {
            return Err(BundleError::Padding { name });
        }
        if entries.insert(name.clone(), entry).is_some() {
            return Err(BundleError::Name { name, rule: "each name once" });
        }
        last = name;
    }
    if input.block("its end")? != [0; BLOCK] || input.input.read(&mut [0])? > 0 {
        return Err(BundleError::After { at: input.at });
    }
    Ok(entries)
}

struct Input<'a> {
    input: &'a mut dyn Read,
    at: u64,
}

impl Input<'_> {
    fn block(&mut self, within: &str) -> Result<[u8; BLOCK], BundleError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block, within)?;
        Ok(block)
    }

    fn fill(&mut self, buffer: &mut [u8], within: &str) -> Result<(), BundleError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => return Err(BundleError::Cut { at: self.at, within: within.to_owned() }),
                Ok(count) => (filled, self.at) = (filled + count, self.at + count as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn skip(&mut self, size: u64, within: &str) -> Result<(), BundleError> {
        let mut buffer = vec![0; size.min(1 << 20) as usize];
        let mut left = size;
        while left > 0 {
            let count = left.min(buffer.len() as u64);
            self.fill(&mut buffer[..count as usize], within)?;
            left -= count;
        }
        Ok(())
    }
}
