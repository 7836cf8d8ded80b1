//! Files: whole small ones, parts of devices, names in folders.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, RawDir, open};
use rustix::io::{Errno, pread, pwrite, read, write};

use crate::failure::About as _;

/// Opens for reading.
pub fn reading(path: &str) -> Result<OwnedFd, Errno> {
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens for reading and writing what exists.
pub fn writing(path: &str) -> Result<OwnedFd, Errno> {
    open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

/// The text of a file, which is short; no file that is read here is of more than 64 KiB.
pub fn text(path: &str) -> Result<String, String> {
    let file = reading(path).about(path)?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match read(&file, &mut buffer).about(path)? {
            0 => break,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
        if bytes.len() > 1 << 16 {
            return Err(path.to_string() + ": unexpectedly long");
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes `text` into a file, which is made with `mode` if need be.
pub fn put(path: &str, text: &str, mode: u32) -> Result<(), String> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::from_raw_mode(mode)).about(path)?;
    // One write: files of the kernel take each for a whole value.
    match write(&file, text.as_bytes()).about(path)? {
        length if length == text.len() => Ok(()),
        _ => Err(path.to_string() + ": written in part only"),
    }
}

/// Fills `bytes` from a place in a device.
pub fn read_at(file: impl AsFd, mut bytes: &mut [u8], mut at: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match pread(&file, &mut *bytes, at)? {
            // Past the end of the device.
            0 => return Err(Errno::NXIO),
            length => {
                bytes = &mut bytes[length..];
                at += length as u64;
            }
        }
    }
    Ok(())
}

/// Writes `bytes` to a place in a device.
pub fn write_at(file: impl AsFd, mut bytes: &[u8], mut at: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match pwrite(&file, bytes, at)? {
            0 => return Err(Errno::NOSPC),
            length => {
                bytes = &bytes[length..];
                at += length as u64;
            }
        }
    }
    Ok(())
}

/// Sorted names in a folder.
pub fn names(folder: &str) -> Result<Vec<String>, String> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let file = open(folder, flags, Mode::empty()).about(folder)?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(file, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let name = entry.about(folder)?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_sorted_and_all_of_them() {
        let folder = std::env::temp_dir().join(format!("geminios-init-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut expected: Vec<String> = (0..300).map(|i| format!("a-rather-long-name-{i:03}")).collect();
        for name in expected.iter().rev() {
            std::fs::write(folder.join(name), "x").unwrap();
        }
        expected.sort();
        assert_eq!(names(folder.to_str().unwrap()).unwrap(), expected);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_device_that_ends_early_is_an_error() {
        let path = std::env::temp_dir().join(format!("geminios-init-short-{}", std::process::id()));
        std::fs::write(&path, [7; 100]).unwrap();
        let file = reading(path.to_str().unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut bytes = [0; 50];
        assert_eq!(read_at(&file, &mut bytes, 50), Ok(()));
        assert_eq!(bytes, [7; 50]);
        assert_eq!(read_at(&file, &mut bytes, 51), Err(Errno::NXIO));
    }
}
