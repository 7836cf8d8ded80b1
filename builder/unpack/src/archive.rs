//! The container of a .deb: an ar archive of exactly three parts (deb(5)).

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::error::Fault;

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;
const VERSION: &[u8; 4] = b"2.0\n";

/// A dictionary of 64 MiB, that of `xz -9`, needs 65; larger ones are not for packages.
const XZ_MEMORY: u64 = 128 << 20;
/// As a power of two: 128 MiB, what `zstd --ultra -22` needs.
const ZSTD_WINDOW: u32 = 27;

/// Where the two tar archives stand in a .deb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    pub control: Part,
    pub data: Part,
}

/// One part: offset and length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub offset: u64,
    pub size: u64,
    pub compression: Compression,
}

/// How a part is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

/// Finds the parts of a .deb.
///
/// # Errors
/// Anything but `debian-binary` 2.0, one control archive and one data archive, in this order and nothing after them.
pub fn parse_ar(mut deb: impl Read + Seek) -> Result<Parts, Fault> {
    let end = deb.seek(SeekFrom::End(0))?;
    deb.seek(SeekFrom::Start(0))?;
    if read(&mut deb)? != Some(*MAGIC) {
        return Err(Fault::NotAPackage("it does not begin as an ar archive"));
    }
    let version = Named::read(&mut deb, MAGIC.len() as u64, end)?;
    if version.name != "debian-binary" || version.size != VERSION.len() as u64 {
        return Err(Fault::NotAPackage("its first part is not debian-binary"));
    }
    if read(&mut deb)? != Some(*VERSION) {
        return Err(Fault::NotAPackage("its format is not 2.0"));
    }
    let next = version.next(&mut deb, end)?;
    let (control, next) = part(&mut deb, "control.tar", next, end)?;
    let (data, next) = part(&mut deb, "data.tar", next, end)?;
    if next != end {
        return Err(Fault::Part(Named::read(&mut deb, next, end)?.name));
    }
    Ok(Parts { control, data })
}

fn part(deb: &mut (impl Read + Seek), stem: &str, at: u64, end: u64) -> Result<(Part, u64), Fault> {
    let named = Named::read(deb, at, end)?;
    let compression = match named.name.strip_prefix(stem) {
        Some("") => Compression::None,
        Some(".gz") => Compression::Gzip,
        Some(".xz") => Compression::Xz,
        Some(".zst") => Compression::Zstd,
        _ => return Err(Fault::Part(named.name)),
    };
    let part = Part { offset: named.offset, size: named.size, compression };
    Ok((part, named.next(deb, end)?))
}

/// A part by its header.
struct Named {
    name: String,
    offset: u64,
    size: u64,
}

impl Named {
    /// Reads the header at `at`; the reader is then at the part's first byte.
    fn read(deb: &mut (impl Read + Seek), at: u64, end: u64) -> Result<Self, Fault> {
        deb.seek(SeekFrom::Start(at))?;
        let header: [u8; HEADER] =
            read(deb)?.ok_or(Fault::NotAPackage("it ends where a part should begin"))?;
        if &header[58..] != b"`\n" {
            return Err(Fault::NotAPackage("a part has no proper header"));
        }
        let name = field(&header, 0..16).ok_or(Fault::NotAPackage("the name of a part is not text"))?;
        let name = name.strip_suffix('/').unwrap_or(name).escape_debug().to_string();
        let size = field(&header, 48..58)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or(Fault::NotAPackage("a part has no proper size"))?;
        let offset = at + HEADER as u64;
        if size > end.saturating_sub(offset) {
            return Err(cut(&format!("`{name}` should have {size} bytes")));
        }
        Ok(Named { name, offset, size })
    }

    /// Where the next header stands: parts begin at even offsets.
    fn next(&self, deb: &mut (impl Read + Seek), end: u64) -> Result<u64, Fault> {
        let next = self.offset + self.size;
        if next.is_multiple_of(2) {
            return Ok(next);
        }
        deb.seek(SeekFrom::Start(next))?;
        match read(deb)? {
            Some([b'\n']) => Ok(next + 1),
            Some(_) => Err(Fault::NotAPackage("a part has another size than its header says")),
            None => Err(cut(&format!("the byte after `{}` is missing; there are {end}", self.name))),
        }
    }
}

fn field(header: &[u8], range: Range<usize>) -> Option<&str> {
    std::str::from_utf8(&header[range]).ok().map(|text| text.trim_end_matches(' '))
}

pub(crate) fn cut(what: &str) -> Fault {
    Fault::Broken(io::Error::new(io::ErrorKind::UnexpectedEof, what))
}

/// The next bytes; None where the file ends before.
pub(crate) fn read<const N: usize>(reader: &mut impl Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match reader.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

impl Part {
    /// The part's bytes, unpacked. They end early with an error where the packed ones do.
    ///
    /// # Errors
    /// The file cannot be read; no memory.
    pub fn reader<'a, R: Read + Seek + 'a>(&self, mut deb: R) -> Result<Box<dyn Read + 'a>, Fault> {
        deb.seek(SeekFrom::Start(self.offset))?;
        let packed = io::BufReader::with_capacity(1 << 16, deb.take(self.size));
        Ok(match self.compression {
            Compression::None => Box::new(packed),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Xz => {
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED)
                        .map_err(io::Error::from)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(packed, stream))
            }
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Box::new(decoder)
            }
        })
    }
}
