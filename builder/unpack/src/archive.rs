//! The container of a .deb: an ar archive of exactly three members (deb(5)).

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::Fault;

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;

/// Where the two tar archives stand in a .deb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub control: Part,
    pub data: Part,
}

/// One member: offset and length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub offset: u64,
    pub size: u64,
    pub compression: Compression,
}

/// How a member is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

/// Finds the members of a .deb.
///
/// # Errors
/// Anything but `debian-binary` 2.x, one control archive and one data archive, in this order and nothing after them.
pub fn parse_ar(mut deb: impl Read + Seek) -> Result<Parts, Fault> {
    let end = deb.seek(SeekFrom::End(0))?;
    deb.seek(SeekFrom::Start(0))?;
    let mut magic = [0; 8];
    deb.read_exact(&mut magic).map_err(|_| Fault::NotAPackage("it is shorter than an ar archive's first line"))?;
    if &magic != MAGIC {
        return Err(Fault::NotAPackage("it does not begin as an ar archive"));
    }
    let (name, offset, size) = member(&mut deb, 8, end)?;
    if name != "debian-binary" || !(4..=16).contains(&size) {
        return Err(Fault::NotAPackage("its first member is not debian-binary"));
    }
    let mut version = vec![0; size as usize];
    deb.read_exact(&mut version)?;
    if !version.starts_with(b"2.") {
        return Err(Fault::NotAPackage("its format is not 2.x"));
    }
    let (control, next) = part(&mut deb, "control.tar", next(offset, size), end)?;
    let (data, next) = part(&mut deb, "data.tar", next, end)?;
    if next < end {
        let (name, ..) = member(&mut deb, next, end)?;
        return Err(Fault::Member(name));
    }
    Ok(Parts { control, data })
}

fn part(deb: &mut (impl Read + Seek), stem: &str, at: u64, end: u64) -> Result<(Part, u64), Fault> {
    let (name, offset, size) = member(deb, at, end)?;
    let compression = match name.strip_prefix(stem) {
        Some("") => Compression::None,
        Some(".gz") => Compression::Gzip,
        Some(".xz") => Compression::Xz,
        Some(".zst") => Compression::Zstd,
        _ => return Err(Fault::Member(name)),
    };
    Ok((Part { offset, size, compression }, next(offset, size)))
}

/// Members begin at even offsets.
fn next(offset: u64, size: u64) -> u64 {
    offset + size + size % 2
}

/// Name, offset and size of the member whose header stands at `at`; the reader is then at its first byte.
fn member(deb: &mut (impl Read + Seek), at: u64, end: u64) -> Result<(String, u64, u64), Fault> {
    let mut header = [0; HEADER];
    deb.seek(SeekFrom::Start(at))?;
    deb.read_exact(&mut header).map_err(|_| Fault::NotAPackage("it ends where a member should begin"))?;
    if &header[58..] != b"`\n" {
        return Err(Fault::NotAPackage("a member has no proper header"));
    }
    let field = |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).map(str::trim_end);
    let name = field(0..16).map_err(|_| Fault::NotAPackage("a member's name is not text"))?;
    let name = name.strip_suffix('/').unwrap_or(name).to_owned();
    let size: u64 = field(48..58)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or(Fault::NotAPackage("a member has no proper size"))?;
    let offset = at + HEADER as u64;
    if size > end.saturating_sub(offset) {
        let cut = io::Error::new(io::ErrorKind::UnexpectedEof, format!("`{name}` should have {size} bytes"));
        return Err(Fault::Broken(cut));
    }
    Ok((name, offset, size))
}

impl Part {
    /// The member's bytes, unpacked.
    pub fn reader<'a, R: Read + Seek + 'a>(&self, mut deb: R) -> Result<Box<dyn Read + 'a>, Fault> {
        deb.seek(SeekFrom::Start(self.offset))?;
        let packed = io::BufReader::with_capacity(1 << 16, deb.take(self.size));
        Ok(match self.compression {
            Compression::None => Box::new(packed),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(packed)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(packed)?),
        })
    }
}
