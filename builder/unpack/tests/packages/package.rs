//! Packages made byte by byte, so that each byte of one can be wrong.

use std::io::Write;

const BLOCK: usize = 512;

pub const CONTROL: &str = "Package: demo\nVersion: 1.0\nArchitecture: all\n";

/// A header of a tar archive, and the bytes after it.
#[derive(Clone)]
pub struct Entry {
    header: [u8; BLOCK],
    bytes: Vec<u8>,
}

/// A member as GNU tar and dpkg-deb write it; `kind` is the type flag.
pub fn entry(kind: u8, name: &str, bytes: &[u8]) -> Entry {
    Entry { header: [0; BLOCK], bytes: bytes.to_vec() }
        .with(0, name.as_bytes())
        .with(100, b"0000644\x000000000\x000000000\x00")
        .with(124, format!("{:011o}\0", bytes.len()).as_bytes())
        .with(136, b"14524416000\0")
        .with(156, &[kind])
        .with(257, b"ustar  \0")
}

pub fn file(name: &str, text: &str) -> Entry {
    entry(b'0', name, text.as_bytes())
}

pub fn folder(name: &str) -> Entry {
    entry(b'5', name, b"").mode(0o755)
}

pub fn link(name: &str, target: &str) -> Entry {
    entry(b'2', name, b"").with(157, target.as_bytes())
}

pub fn hard_link(name: &str, target: &str) -> Entry {
    entry(b'1', name, b"").with(157, target.as_bytes())
}

/// GNU's extension before a member: `L` for its long name, `K` for its long target.
pub fn long(kind: u8, text: &str) -> Entry {
    entry(kind, "././@LongLink", format!("{text}\0").as_bytes())
}

impl Entry {
    /// Other bytes in the header, with the checksum that belongs to them.
    pub fn with(self, at: usize, bytes: &[u8]) -> Entry {
        let mut entry = self.with_unsummed(148, b"        ").with_unsummed(at, bytes);
        let sum: u32 = entry.header.iter().map(|byte| u32::from(*byte)).sum();
        entry.header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        entry
    }

    /// Other bytes in the header, and the checksum left as it was.
    pub fn with_unsummed(mut self, at: usize, bytes: &[u8]) -> Entry {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    pub fn mode(self, mode: u32) -> Entry {
        self.with(100, format!("{mode:07o}\0").as_bytes())
    }
}

/// An archive without the mark of its end.
pub fn endless_tar(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend(entry.header);
        out.extend(&entry.bytes);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out
}

pub fn tar(entries: &[Entry]) -> Vec<u8> {
    [endless_tar(entries), vec![0; 2 * BLOCK]].concat()
}

/// A part of the container.
pub fn part(name: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len());
    let padding: &[u8] = if bytes.len() % 2 == 1 { b"\n" } else { b"" };
    [header.as_bytes(), bytes, padding].concat()
}

pub fn version_part() -> Vec<u8> {
    part("debian-binary", b"2.0\n")
}

pub fn control_part() -> Vec<u8> {
    part("control.tar", &tar(&[folder("./"), file("./control", CONTROL)]))
}

pub fn container(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"!<arch>\n".to_vec(), parts.concat()].concat()
}

/// A package whose data part is this.
pub fn deb_with(data: Vec<u8>) -> Vec<u8> {
    container(&[version_part(), control_part(), data])
}

/// A package with these members.
pub fn deb(members: &[Entry]) -> Vec<u8> {
    deb_with(part("data.tar", &tar(members)))
}

/// The compressions of packages, by the end of the part's name.
pub const COMPRESSIONS: [&str; 4] = ["", ".gz", ".xz", ".zst"];

pub fn packed(compression: &str, bytes: &[u8]) -> Vec<u8> {
    match compression {
        "" => bytes.to_vec(),
        ".gz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        ".xz" => liblzma::encode_all(bytes, 6).unwrap(),
        ".zst" => zstd::encode_all(bytes, 19).unwrap(),
        other => panic!("no package is compressed as {other}"),
    }
}
