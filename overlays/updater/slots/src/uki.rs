//! What a unified kernel image says of itself (UAPI.5): read from the sections of a PE program (Microsoft, "PE Format").

use std::io;

use crate::digest::RootHash;

/// The first two bytes of every PE program. systemd-boot lists no file without them, and no firmware starts one.
pub const MAGIC: [u8; 2] = *b"MZ";
/// Sections of text are shorter.
const LONGEST: u64 = 64 << 10;
const MOST_SECTIONS: u64 = 96;

/// What the boot loader sorts by, and what the initrd looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UkiInfo {
    /// `roothash=` of the command line.
    pub root_hash: RootHash,
    /// As systemd-boot takes it: IMAGE_VERSION of the os-release, else VERSION, else VERSION_ID, else BUILD_ID.
    pub version: String,
    /// IMAGE_ID, else ID.
    pub sort_key: String,
}

/// Reads up to the buffer's size from a place of the file; 0 at its end.
pub type ReadAt<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> io::Result<usize>;

/// Reads a program, or one whose first two bytes are still zero if `hidden`.
///
/// # Errors
/// Those of reading; the inner one says why it is no kernel of ours.
pub fn read(file: ReadAt<'_>, hidden: bool) -> io::Result<Result<UkiInfo, &'static str>> {
    let Some(head) = bytes(file, 0, 64)? else { return Ok(Err("it is too short")) };
    if head[..2] != if hidden { [0; 2] } else { MAGIC } {
        return Ok(Err("it is no program"));
    }
    let pe = number(&head, 60, 4);
    let Some(coff) = bytes(file, pe, 24)?.filter(|coff| coff.starts_with(b"PE\0\0")) else {
        return Ok(Err("it has no PE header"));
    };
    let (sections, table) = (number(&coff, 6, 2), pe + 24 + number(&coff, 20, 2));
    let Some(table) = bytes(file, table, sections.min(MOST_SECTIONS) * 40)? else {
        return Ok(Err("its section table is cut"));
    };
    let mut text = |name: &[u8; 8]| -> io::Result<Option<String>> {
        let Some(section) = table.chunks_exact(40).find(|s| s[..8] == *name) else { return Ok(None) };
        let size = number(section, 8, 4).min(number(section, 16, 4)).min(LONGEST);
        let bytes = bytes(file, number(section, 20, 4), size)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(|s| s.trim_end_matches('\0').to_owned()))
    };
    let (Some(cmdline), Some(release)) = (text(b".cmdline")?, text(b".osrel\0\0")?) else {
        return Ok(Err("it has no .cmdline or no .osrel"));
    };
    Ok(info(&cmdline, &release))
}

fn info(cmdline: &str, release: &str) -> Result<UkiInfo, &'static str> {
    let mut hashes = cmdline.split_ascii_whitespace().filter_map(|word| word.strip_prefix("roothash="));
    let root_hash = match (hashes.next().map(str::parse), hashes.next()) {
        (Some(Ok(hash)), None) => hash,
        _ => return Err("its command line has not one roothash= of 64 digits"),
    };
    let field = |names: &[&str]| {
        names.iter().find_map(|name| {
            let value = release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
            let value = value.trim().trim_matches(['"', '\'']);
            (!value.is_empty()).then(|| value.to_owned())
        })
    };
    let version = field(&["IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID"]);
    let (Some(version), Some(sort_key)) = (version, field(&["IMAGE_ID", "ID"])) else {
        return Err("its os-release has no version or no name");
    };
    Ok(UkiInfo { root_hash, version, sort_key })
}

fn bytes(file: ReadAt<'_>, at: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; size as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file(at + filled as u64, &mut bytes[filled..])? {
            0 => return Ok(None),
            read => filled += read,
        }
    }
    Ok(Some(bytes))
}

/// A little-endian number of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))
}
