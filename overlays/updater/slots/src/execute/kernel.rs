//! Kernels on the ESP: written without their first two bytes, read back, compared.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::device::{Esp, Source};
use crate::digest::Sha256Sum;
use crate::execute::{Cause, image};
use crate::step::{Blob, Image};
use crate::uki::{self, MAGIC, UkiInfo};

/// Bytes handled at once.
const PIECE: u64 = 256 << 10;

pub(super) fn create(
    name: &str,
    blob: Blob,
    esp: &mut dyn Esp,
    source: &mut dyn Source,
) -> Result<(), Cause> {
    esp.create(name)?;
    let mut buffer = vec![0; PIECE.min(blob.size) as usize];
    let mut at = 0;
    while at < blob.size {
        let piece = &mut buffer[..(blob.size - at).min(PIECE) as usize];
        image::fill(Image::Uki, at, piece, source)?;
        if at == 0 {
            hide(piece);
        }
        esp.append(name, piece)?;
        at += piece.len() as u64;
    }
    Ok(())
}

pub(super) fn copy(from: &str, name: &str, esp: &mut dyn Esp) -> io::Result<()> {
    esp.create(name)?;
    let mut at = 0;
    let mut buffer = vec![0; PIECE as usize];
    loop {
        let read = esp.read_at(from, at, &mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        let piece = &mut buffer[..read];
        if at == 0 {
            hide(piece);
        }
        esp.append(name, piece)?;
        at += read as u64;
    }
}

fn hide(piece: &mut [u8]) {
    piece.iter_mut().take(MAGIC.len()).for_each(|byte| *byte = 0);
}

pub(super) fn check(name: &str, blob: Blob, wanted: &UkiInfo, esp: &mut dyn Esp) -> Result<(), Cause> {
    let mut hasher = Sha256::new();
    let mut size = 0;
    read_back(name, esp, &mut |piece| {
        if size == 0 {
            if piece[..MAGIC.len().min(piece.len())] != [0; 2] {
                return Err(Cause::Mismatch(format!("{name} is a program before it was checked")));
            }
            hasher.update(MAGIC);
            hasher.update(&piece[MAGIC.len()..]);
        } else {
            hasher.update(piece);
        }
        size += piece.len() as u64;
        Ok(())
    })?;
    let seen = Blob { size, sha256: Sha256Sum(hasher.finalize().into()) };
    if seen != blob {
        return Err(Cause::Mismatch(format!(
            "{name}: SHA-256 is {}, it should be {}",
            seen.sha256, blob.sha256
        )));
    }
    let info = uki::read(&mut |at, buffer| esp.read_uncached_at(name, at, buffer), true)?;
    let info = info.map_err(|why| Cause::Mismatch(format!("{name}: {why}")))?;
    if info != *wanted {
        return Err(Cause::Mismatch(format!(
            "{name} says it is version {} of {} with root hash {}; the release is {} of {} with {}",
            info.version, info.sort_key, info.root_hash, wanted.version, wanted.sort_key, wanted.root_hash
        )));
    }
    Ok(())
}

pub(super) fn check_copy(from: &str, name: &str, esp: &mut dyn Esp) -> Result<(), Cause> {
    let mut sum = |file: &str| -> Result<(u64, Sha256Sum), Cause> {
        let (mut hasher, mut size) = (Sha256::new(), 0);
        read_back(file, esp, &mut |piece| {
            let skip = if size == 0 { MAGIC.len().min(piece.len()) } else { 0 };
            hasher.update(&piece[skip..]);
            size += piece.len() as u64;
            Ok(())
        })?;
        Ok((size, Sha256Sum(hasher.finalize().into())))
    };
    if sum(from)? != sum(name)? {
        return Err(Cause::Mismatch(format!("{name} is not what {from} is")));
    }
    Ok(())
}

/// Hands out a file in pieces, none empty and the first longer than the magic.
fn read_back(
    name: &str,
    esp: &mut dyn Esp,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Cause>,
) -> Result<(), Cause> {
    let mut buffer = vec![0; PIECE as usize];
    let mut at = 0;
    loop {
        let mut filled = 0;
        while filled < buffer.len() {
            match esp.read_uncached_at(name, at + filled as u64, &mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        match filled {
            0 => return Ok(()),
            1 if at == 0 => return Err(Cause::Mismatch(format!("{name} has one byte"))),
            _ => take(&buffer[..filled])?,
        }
        at += filled as u64;
    }
}
