//! How a program of a tool set is started.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use geminios_model::Arch;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadCache};

/// Where programs are looked for.
const FOLDERS: [&str; 4] = ["usr/bin", "usr/sbin", "usr/lib/systemd", "usr/libexec"];
/// Folders below usr/lib that begin so have a version in their name, and programs in `bin`.
const VERSIONED: [&str; 2] = ["go-", "llvm-"];
/// systemd's and LLVM's own libraries are two folders below usr/lib.
const DEPTH: u32 = 3;

/// The words that run a program: by the set's loader, or by itself where it is static.
///
/// The loader leaves the host's cache of libraries alone; what a set lacks is an error and not another version.
pub(crate) fn words(set: &Path, arch: Arch, libraries: &str, program: &str) -> Vec<String> {
    let folders = FOLDERS.iter().map(|dir| set.join(dir)).chain(versioned(set));
    let found = folders.map(|dir| dir.join(program)).find(|path| path.exists());
    // Where there is none, the loader says so.
    let path = found.unwrap_or_else(|| set.join("usr/bin").join(program));
    let path = path.canonicalize().unwrap_or(path);
    if is_static(&path) {
        return vec![path.display().to_string()];
    }
    let loader = set.join("usr/lib").join(arch.multiarch()).join(arch.loader());
    vec![
        loader.display().to_string(),
        "--inhibit-cache".into(),
        "--library-path".into(),
        libraries.into(),
        "--argv0".into(),
        program.into(),
        path.display().to_string(),
    ]
}

/// Where LLVM and Go have their programs, the newest first.
fn versioned(set: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(set.join("usr/lib")).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| {
        let name = entry.file_name();
        VERSIONED.iter().any(|begin| name.to_string_lossy().starts_with(begin))
    });
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// A program that asks for no loader needs none, and none would take it: ldconfig.
fn is_static(path: &Path) -> bool {
    let asks_for_loader = || -> Option<bool> {
        let file = ReadCache::new(File::open(path).ok()?);
        let header = FileHeader64::<Endianness>::parse(&file).ok()?;
        let endian = header.endian().ok()?;
        let segments = header.program_headers(endian, &file).ok()?;
        Some(segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP))
    };
    asks_for_loader() == Some(false)
}

/// The folders of a set that hold shared libraries, as the loader takes them. That of the architecture comes first:
/// copies that some package keeps for itself must not stand before it.
pub(crate) fn libraries(set: &Path, arch: Arch) -> io::Result<String> {
    let lib = set.join("usr/lib");
    let mut folders = BTreeSet::new();
    if lib.is_dir() {
        collect(&lib, arch, DEPTH, &mut folders)?;
    }
    let first = lib.join(arch.multiarch());
    folders.remove(&first);
    let all = std::iter::once(first).chain(folders);
    Ok(all.map(|dir: PathBuf| dir.display().to_string()).collect::<Vec<_>>().join(":"))
}

fn collect(dir: &Path, arch: Arch, depth: u32, out: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            // Libraries for other machines, for the target's programs, and thousands of files that are none.
            let foreign = name.ends_with("-linux-gnu") && name != arch.multiarch();
            if depth > 0 && !foreign && !["gconv", "rustlib", "modules"].contains(&&*name) {
                collect(&entry.path(), arch, depth - 1, out)?;
            }
        } else if name.starts_with("lib") && (name.ends_with(".so") || name.contains(".so.")) {
            out.insert(dir.to_owned());
        }
    }
    Ok(())
}
