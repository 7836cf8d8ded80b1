//! A tree as one tar stream (POSIX.1-2017 pax interchange format), the same bytes for the same tree.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use geminios_compose::{Content, Entry, Node, Tree};
use geminios_model::TreePath;

const RECORD: u64 = 512;
/// The store has a file a package; more open files than this are not kept.
const OPEN_FILES: usize = 128;

/// Why the stream ended early.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The receiver takes no more; its own words say why.
    Receiver,
    /// Content of the tree cannot be read.
    Content { path: TreePath, error: io::Error },
}

/// Writes all of a tree; `done` hears how many bytes of content went out.
pub(crate) fn write(tree: &Tree, out: &mut (impl Write + Sized), done: impl Fn(u64)) -> Result<(), Broken> {
    let mut blobs = Blobs::default();
    let mut linked: HashMap<LinkKey, &TreePath> = HashMap::new();
    for (path, entry) in tree.iter() {
        let first =
            link_key(entry).map(|key| *linked.entry(key).or_insert(path)).filter(|first| *first != path);
        let head = match first {
            Some(first) => header(path, entry, b'1', first.relative(), 0),
            None => match &entry.node {
                Node::Directory => header(path, entry, b'5', "", 0),
                Node::Symlink(target) => header(path, entry, b'2', target, 0),
                Node::File(content) => header(path, entry, b'0', "", content.len()),
            },
        };
        out.write_all(&head).map_err(|_| Broken::Receiver)?;
        if let (None, Some(content)) = (first, entry.content()) {
            blobs.copy(path, content, out)?;
            done(content.len());
        }
    }
    out.write_all(&[0; 2 * RECORD as usize]).map_err(|_| Broken::Receiver)
}

/// Files with one key are one file with several names. Only names that share a range of a package's data do:
/// they were hard links there. Equal files made here stay apart, since some programs refuse a second link.
type LinkKey<'a> = (&'a Path, u64, u32, u32, u32, u64);

fn link_key(entry: &Entry) -> Option<LinkKey<'_>> {
    match entry.content()? {
        Content::Blob { path, offset, size, .. } if *size > 0 => {
            Some((path, *offset, entry.mode, entry.uid, entry.gid, entry.mtime))
        }
        _ => None,
    }
}

/// Open files of the store.
#[derive(Default)]
struct Blobs(HashMap<Arc<Path>, File>);

impl Blobs {
    fn copy(&mut self, path: &TreePath, content: &Content, out: &mut impl Write) -> Result<(), Broken> {
        let failed = |error| Broken::Content { path: path.clone(), error };
        match content {
            Content::Bytes(bytes) => out.write_all(bytes).map_err(|_| Broken::Receiver)?,
            Content::Blob { path: blob, offset, size, .. } => {
                let mut file = self.open(blob).map_err(failed)?;
                file.seek(SeekFrom::Start(*offset)).map_err(failed)?;
                // From a file to a pipe the standard library lets the kernel move the pages (splice).
                let copied = io::copy(&mut file.take(*size), out).map_err(|error| match error.kind() {
                    io::ErrorKind::BrokenPipe => Broken::Receiver,
                    _ => failed(error),
                })?;
                if copied != *size {
                    return Err(failed(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        }
        let padding = content.len().next_multiple_of(RECORD) - content.len();
        out.write_all(&[0; RECORD as usize][..padding as usize]).map_err(|_| Broken::Receiver)
    }

    fn open(&mut self, path: &Arc<Path>) -> io::Result<&File> {
        if self.0.len() >= OPEN_FILES && !self.0.contains_key(path) {
            self.0.clear();
        }
        match self.0.entry(path.clone()) {
            std::collections::hash_map::Entry::Occupied(file) => Ok(file.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => Ok(place.insert(File::open(path)?)),
        }
    }
}

/// A member's header, after a pax header with what does not fit into its fields.
fn header(path: &TreePath, entry: &Entry, kind: u8, link: &str, size: u64) -> Vec<u8> {
    let name = match (path.relative(), &entry.node) {
        ("", _) => "./".to_owned(),
        (name, Node::Directory) => format!("{name}/"),
        (name, _) => name.to_owned(),
    };
    let mut pax = String::new();
    for (key, text) in [("path", name.as_str()), ("linkpath", link)] {
        if text.len() > 100 {
            pax.push_str(&pax_record(key, text));
        }
    }
    let numbers = [
        ("uid", entry.uid.into(), 7),
        ("gid", entry.gid.into(), 7),
        ("size", size, 11),
        ("mtime", entry.mtime, 11),
    ];
    for (key, number, digits) in numbers {
        if number >> (3 * digits) != 0 {
            pax.push_str(&pax_record(key, &number.to_string()));
        }
    }
    let mut out = Vec::new();
    if !pax.is_empty() {
        out.extend(record("pax", 0o644, (0, 0, 0), b'x', "", pax.len() as u64));
        out.extend(pax.as_bytes());
        out.resize(out.len().next_multiple_of(RECORD as usize), 0);
    }
    let numbers = (entry.uid.into(), entry.gid.into(), entry.mtime);
    out.extend(record(&name, entry.mode, numbers, kind, link, size));
    out
}

/// `LENGTH KEY=TEXT\n`, where the length counts its own digits too.
fn pax_record(key: &str, text: &str) -> String {
    let rest = key.len() + text.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={text}\n")
}

/// One header block; what is too long is cut, since a pax header goes before it.
fn record(
    name: &str,
    mode: u32,
    (uid, gid, mtime): (u64, u64, u64),
    kind: u8,
    link: &str,
    size: u64,
) -> [u8; 512] {
    let mut block = [0; RECORD as usize];
    let mut put = |at: usize, width: usize, bytes: &[u8]| {
        let bytes = &bytes[..bytes.len().min(width)];
        block[at..at + bytes.len()].copy_from_slice(bytes);
    };
    let octal = |number: u64, digits: usize| {
        let fits = if number >> (3 * digits) == 0 { number } else { 0 };
        format!("{fits:0digits$o}\0").into_bytes()
    };
    put(0, 100, name.as_bytes());
    put(100, 8, &octal((mode & 0o7777).into(), 7));
    put(108, 8, &octal(uid, 7));
    put(116, 8, &octal(gid, 7));
    put(124, 12, &octal(size, 11));
    put(136, 12, &octal(mtime, 11));
    put(148, 8, b"        ");
    put(156, 1, &[kind]);
    put(157, 100, link.as_bytes());
    put(257, 8, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[cfg(test)]
mod tests;
