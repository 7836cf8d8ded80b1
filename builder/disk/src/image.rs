//! Writes a plan: the sparse image, its block map, and a compressed copy for download.

use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use geminios_model::{Digest, Progress, Unit};
use geminios_seal::Region;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use zstd::zstd_safe::CParameter;

use crate::bmap::{self, Range};
use crate::error::DiskError;
use crate::plan::Plan;

/// What is copied or looked at at once.
const CHUNK: usize = 1 << 17;
/// Nearly all of an image is compressed already: higher levels cost seconds for a percent.
const LEVEL: i32 = 3;
/// Bytes a compressing thread takes at once. Fixed, since the output depends on it; it does not on the number of threads.
const JOB: u32 = 8 << 20;

/// A finished file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    pub sha256: Digest,
}

/// What [`write`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    pub image: Output,
    pub bmap: Output,
    pub compressed: Option<Output>,
}

/// Writes `NAME`, `NAME.bmap` and, if asked for, `NAME.zst` to a folder. All three are complete when they get their
/// names; until then, or when it fails, what stood there before is left alone.
///
/// # Errors
/// Reading what the plan names, or writing (no room).
pub fn write(
    plan: &Plan,
    dir: &Path,
    name: &str,
    compress: bool,
    progress: &dyn Progress,
) -> Result<Outputs, DiskError> {
    progress.begin("disk", plan.table.size, Unit::Bytes);
    let image = temporary(dir)?;
    let failed = || DiskError::io(image.path());
    fill(plan, image.as_file(), dir)?;
    let (packed, whole, map) = thread::scope(|scope| {
        let whole = scope.spawn(|| digest(image.path(), Range { start: 0, size: plan.table.size }));
        let map = scope.spawn(|| map(plan, image.path()));
        let packed = if compress { Some(pack(image.path(), dir, progress)) } else { None };
        (packed.transpose(), join(whole), join(map))
    });
    let (packed, whole, map) = (packed?, whole.map_err(failed())?, map.map_err(failed())?);
    let mut bmap = temporary(dir)?;
    bmap.write_all(map.as_bytes()).map_err(DiskError::io(bmap.path()))?;
    let compressed = packed
        .map(|(file, size, sha256)| finish(file, dir, &format!("{name}.zst"), size, sha256))
        .transpose()?;
    let bmap = finish(bmap, dir, &format!("{name}.bmap"), map.len() as u64, Digest::of(&map))?;
    let image = finish(image, dir, name, plan.table.size, whole)?;
    progress.end("disk", &format!("{} MiB", plan.table.size >> 20));
    Ok(Outputs { image, bmap, compressed })
}

/// Writes `SHA256SUMS`, as sha256sum reads it.
///
/// # Errors
/// Those of writing.
pub fn write_sums<'a>(dir: &Path, outputs: impl IntoIterator<Item = &'a Output>) -> Result<(), DiskError> {
    let mut lines: Vec<String> = outputs
        .into_iter()
        .map(|output| {
            format!("{}  {}\n", output.sha256, output.path.file_name().unwrap_or_default().display())
        })
        .collect();
    lines.sort_by(|a, b| a[64..].cmp(&b[64..]));
    let mut file = temporary(dir)?;
    let (text, failed) = (lines.concat(), DiskError::io(file.path()));
    file.write_all(text.as_bytes()).map_err(failed)?;
    finish(file, dir, "SHA256SUMS", text.len() as u64, Digest::of(&text)).map(drop)
}

fn temporary(dir: &Path) -> Result<NamedTempFile, DiskError> {
    tempfile::Builder::new().prefix(".unfinished-").tempfile_in(dir).map_err(DiskError::io(dir))
}

fn finish(
    file: NamedTempFile,
    dir: &Path,
    name: &str,
    size: u64,
    sha256: Digest,
) -> Result<Output, DiskError> {
    let path = dir.join(name);
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(DiskError::io(&path))?;
    file.persist(&path).map_err(|error| DiskError::Io { path: path.clone(), error: error.error })?;
    Ok(Output { path, size, sha256 })
}

fn fill(plan: &Plan, image: &File, dir: &Path) -> Result<(), DiskError> {
    let (head, tail) = plan.table.encode();
    let failed = || DiskError::io(dir);
    image.set_len(plan.table.size).map_err(failed())?;
    image.write_all_at(&head, 0).map_err(failed())?;
    image.write_all_at(&tail, plan.table.size - tail.len() as u64).map_err(failed())?;
    for (start, path) in &plan.contents {
        let source = File::open(path).map_err(DiskError::io(path))?;
        copy(&source, image, *start).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull => failed()(error),
            _ => DiskError::io(path)(error),
        })?;
    }
    Ok(())
}

/// Copies a file and keeps its holes, so that none of its zeroes takes room.
fn copy(mut source: &File, mut image: &File, start: u64) -> io::Result<()> {
    if !is_sparse(source)? {
        // Between files the standard library lets the kernel copy, or share the blocks where the file system can.
        image.seek(SeekFrom::Start(start))?;
        return io::copy(&mut source, &mut image).map(drop);
    }
    let mut buffer = vec![0; CHUNK];
    let mut at = start;
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        for (i, block) in buffer[..read].chunks(bmap::BLOCK as usize).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                image.write_all_at(block, at + i as u64 * bmap::BLOCK)?;
            }
        }
        at += read as u64;
    }
}

fn is_sparse(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    Ok(metadata.blocks() * 512 < metadata.len())
}

fn map(plan: &Plan, image: &Path) -> io::Result<String> {
    let ranges = bmap::joined(&plan.mapped).into_iter();
    let ranges: io::Result<Vec<_>> = ranges.map(|range| Ok((range, digest(image, range)?))).collect();
    Ok(bmap::xml(plan.table.size, &ranges?))
}

fn digest(path: &Path, range: Range) -> io::Result<Digest> {
    let region = Region::part(path, range.start, range.size)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < range.size {
        let bytes = &mut buffer[..(range.size - at).min(CHUNK as u64) as usize];
        region.read_at(bytes, at)?;
        hasher.update(&*bytes);
        at += bytes.len() as u64;
    }
    Ok(Digest::from(<[u8; 32]>::from(hasher.finalize())))
}

/// Compresses the image into a file whose bytes do not depend on the number of threads.
fn pack(
    image: &Path,
    dir: &Path,
    progress: &dyn Progress,
) -> Result<(NamedTempFile, u64, Digest), DiskError> {
    let out = temporary(dir)?;
    let mut source = File::open(image).map_err(DiskError::io(image))?;
    let mut packed = || -> io::Result<(u64, Digest)> {
        let size = source.metadata()?.len();
        let mut encoder = zstd::Encoder::new(Counted::new(out.as_file()), LEVEL)?;
        encoder.multithread(rayon::current_num_threads() as u32)?;
        encoder.set_parameter(CParameter::JobSize(JOB))?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(size))?;
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = source.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            encoder.write_all(&buffer[..read])?;
            progress.advance("disk", read as u64);
        }
        let out = encoder.finish()?;
        Ok((out.size, Digest::from(<[u8; 32]>::from(out.hasher.finalize()))))
    };
    let (size, sha256) = packed().map_err(DiskError::io(dir))?;
    Ok((out, size, sha256))
}

/// Counts and hashes what is written.
struct Counted<'a> {
    out: &'a File,
    size: u64,
    hasher: Sha256,
}

impl<'a> Counted<'a> {
    fn new(out: &'a File) -> Self {
        Counted { out, size: 0, hasher: Sha256::new() }
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended early")))
}

#[cfg(test)]
mod tests;
