//! The headers of a tar archive, as strictly as dpkg reads them (deb(5)): v7, ustar, and of GNU's extensions only long
//! names, long link targets and large numbers.
//!
//! A reader of its own, because others are made to take what comes: they keep an extension of any size in memory,
//! believe numbers that are none, and let pax headers change a member after it was looked at.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::archive::{cut, read};
use crate::error::Fault;

const BLOCK: u64 = 512;
const V7: &[u8; 8] = b"\0\0\0\0\0\0\0\0";
const USTAR: &[u8; 8] = b"ustar\x0000";
const GNU: &[u8; 8] = b"ustar  \0";
/// The longest path of Linux with its NUL.
const LONGEST_TEXT: u64 = 4096;

/// One header, with what the extensions before it say.
pub(crate) struct Header {
    /// As it stands there.
    pub name: String,
    /// Target of a link; empty for all else.
    pub target: String,
    pub kind: Kind,
    pub mode: u64,
    pub uid: u64,
    pub gid: u64,
    pub mtime: u64,
    /// Where its bytes stand, and how many they are.
    pub offset: u64,
    pub size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Hardlink,
    Symlink,
    Directory,
    Other(&'static str),
}

/// Goes from header to header and past the bytes between them.
pub(crate) struct Headers<R> {
    reader: BufReader<R>,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> Headers<R> {
    pub fn new(mut archive: R) -> Result<Self, Fault> {
        let end = archive.seek(SeekFrom::End(0))?;
        archive.seek(SeekFrom::Start(0))?;
        Ok(Headers { reader: BufReader::with_capacity(1 << 12, archive), at: 0, end })
    }

    /// The next header; None at the end, after which nothing follows.
    pub fn next(&mut self) -> Result<Option<Header>, Fault> {
        let (mut name, mut target) = (None, None);
        loop {
            let Some(block) = self.block()? else {
                return if name.or(target).is_none() {
                    Ok(None)
                } else {
                    Err(self.wrong("is missing, after its name"))
                };
            };
            let header = Raw { block, at: self.at - BLOCK };
            header.check()?;
            let size = header.number(124..136)?;
            if size > self.end.saturating_sub(self.at) {
                return Err(cut(&format!("{} should have {size} bytes", header.name()?.escape_debug())));
            }
            let long = match header.block[156] {
                b'L' => &mut name,
                b'K' => &mut target,
                _ => {
                    let found = header.finish(name, target, self.at, size)?;
                    self.skip(size.next_multiple_of(BLOCK))?;
                    return Ok(Some(found));
                }
            };
            if long.is_some() || size > LONGEST_TEXT {
                return Err(self.wrong("has a name that is too long, or two"));
            }
            *long = Some(self.long(size)?);
        }
    }

    /// The bytes of a member that fit into memory. The reader goes on from where it was.
    pub fn bytes(&mut self, header: &Header) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        self.reader.seek(SeekFrom::Start(header.offset))?;
        self.reader.by_ref().take(header.size).read_to_end(&mut bytes)?;
        self.reader.seek(SeekFrom::Start(self.at))?;
        Ok(bytes)
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK as usize]>, Fault> {
        let block: [u8; BLOCK as usize] =
            read(&mut self.reader)?.ok_or_else(|| cut("the mark of its end is missing"))?;
        self.at += BLOCK;
        if block.iter().any(|byte| *byte != 0) {
            return Ok(Some(block));
        }
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.reader.read(&mut buffer)? {
                0 => return Ok(None),
                n if buffer[..n].iter().any(|byte| *byte != 0) => {
                    return Err(self.wrong("stands after the end"));
                }
                _ => {}
            }
        }
    }

    fn long(&mut self, size: u64) -> Result<String, Fault> {
        let no_text = self.wrong("has a long name that is no text");
        let mut bytes = vec![0; size as usize];
        self.reader.read_exact(&mut bytes)?;
        self.at += size;
        self.skip(size.next_multiple_of(BLOCK) - size)?;
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && !text.contains('\0') => Ok(text.to_owned()),
            _ => Err(no_text),
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Fault> {
        let offset = i64::try_from(bytes).map_err(|_| self.wrong("has no proper size"))?;
        self.reader.seek_relative(offset)?;
        self.at += bytes;
        Ok(())
    }

    fn wrong(&self, what: &'static str) -> Fault {
        Fault::Header { at: self.at - BLOCK.min(self.at), what }
    }
}

/// A header's block (POSIX.1-1988 ustar; GNU tar manual, "Basic Tar Format").
struct Raw {
    block: [u8; BLOCK as usize],
    at: u64,
}

impl Raw {
    fn finish(
        &self,
        name: Option<String>,
        target: Option<String>,
        offset: u64,
        size: u64,
    ) -> Result<Header, Fault> {
        let name = name.map_or_else(|| self.name(), Ok)?;
        if name.is_empty() {
            return Err(self.wrong("has no name"));
        }
        let kind = match self.block[156] {
            b'0' | b'\0' | b'7' => Kind::Regular,
            b'1' => Kind::Hardlink,
            b'2' => Kind::Symlink,
            b'3' => Kind::Other("character device"),
            b'4' => Kind::Other("block device"),
            b'5' => Kind::Directory,
            b'6' => Kind::Other("named pipe"),
            b'S' => Kind::Other("sparse file"),
            b'x' | b'g' => Kind::Other("pax header"),
            _ => Kind::Other("member of unknown kind"),
        };
        let target = match (kind, target) {
            (Kind::Hardlink | Kind::Symlink, Some(target)) => target,
            (Kind::Hardlink | Kind::Symlink, None) => self.text(157..257)?.to_owned(),
            (_, None) => String::new(),
            (_, Some(_)) => return Err(self.wrong("has a link target and is no link")),
        };
        if size > 0 && matches!(kind, Kind::Directory | Kind::Hardlink | Kind::Symlink) {
            return Err(self.wrong("has bytes and is no file"));
        }
        let [mode, uid, gid] = [self.number(100..108)?, self.number(108..116)?, self.number(116..124)?];
        Ok(Header { name, target, kind, mode, uid, gid, mtime: self.number(136..148)?, offset, size })
    }

    /// The name as this block tells it.
    fn name(&self) -> Result<String, Fault> {
        let name = self.text(0..100)?;
        // GNU has times where ustar has the beginning of a long name.
        let prefix = if &self.block[257..265] == USTAR { self.text(345..500)? } else { "" };
        Ok(if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") })
    }

    fn check(&self) -> Result<(), Fault> {
        if ![V7, USTAR, GNU].iter().any(|magic| &self.block[257..265] == *magic) {
            return Err(self.wrong("is of no kind of tar that dpkg reads"));
        }
        let blanks = 148..156;
        let byte =
            |(i, byte): (usize, &u8)| if blanks.contains(&i) { u64::from(b' ') } else { u64::from(*byte) };
        let sum: u64 = self.block.iter().enumerate().map(byte).sum();
        if self.number(blanks.clone())? == sum { Ok(()) } else { Err(self.wrong("has a wrong checksum")) }
    }

    fn text(&self, range: Range<usize>) -> Result<&str, Fault> {
        let bytes = self.block[range].split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| self.wrong("has a name or link target that is not UTF-8"))
    }

    /// Octal digits that end with a blank or NUL; or, with the highest bit set, a big-endian number (GNU).
    fn number(&self, range: Range<usize>) -> Result<u64, Fault> {
        let bytes = &self.block[range];
        let wrong = || self.wrong("has a number that is none, or absurd");
        if bytes[0] == 0x80 {
            // No number of a package has more than 63 bits.
            let number = bytes[1..]
                .iter()
                .try_fold(0_u64, |n, byte| n.checked_mul(256)?.checked_add(u64::from(*byte)));
            return number.filter(|n| i64::try_from(*n).is_ok()).ok_or_else(wrong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
        let digits = text.trim_matches([' ', '\0']);
        if digits.is_empty() || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
            return Err(wrong());
        }
        u64::from_str_radix(digits, 8).map_err(|_| wrong())
    }

    fn wrong(&self, what: &'static str) -> Fault {
        Fault::Header { at: self.at, what }
    }
}
