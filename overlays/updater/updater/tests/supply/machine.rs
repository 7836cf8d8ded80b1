//! A disk in a file, as an updater sees it: slots behind a partition table, EFI/Linux and the journal as folders.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use geminios_slots::device::{Device, Disk, Esp, JournalFile};

pub const SECTOR: usize = 512;

/// A file that is mostly a hole, for the writer of partition tables.
pub struct Pages(File);

impl Pages {
    pub fn create(path: &Path, size: usize) -> Self {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
        file.set_len(size as u64).unwrap();
        Pages(file)
    }

    pub fn size(&self) -> usize {
        self.0.metadata().unwrap().len() as usize
    }

    pub fn get(&self, at: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, at as u64).unwrap();
        bytes
    }

    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        self.0.write_all_at(bytes, at as u64).unwrap();
    }
}

/// The device in a folder: `disk`, `esp/`, `var/journal`.
pub struct FileDevice {
    pub dir: PathBuf,
    disk: File,
    /// What the ESP says of its room.
    pub room: u64,
    pub read_only: bool,
    /// Bytes after which it is claimed what was written.
    pub progress: u64,
}

impl FileDevice {
    pub fn open(dir: &Path) -> Self {
        let disk = File::options().read(true).write(true).open(dir.join("disk")).unwrap();
        FileDevice { dir: dir.to_owned(), disk, room: 1 << 30, read_only: false, progress: 1 << 20 }
    }

    fn kernel(&self, name: &str) -> PathBuf {
        self.dir.join("esp").join(name)
    }

    fn on_var(&self, name: &str) -> PathBuf {
        self.dir.join("var").join(name)
    }
}

impl Disk for FileDevice {
    fn size(&self) -> u64 {
        self.disk.metadata().unwrap().len()
    }
    fn block_size(&self) -> u32 {
        SECTOR as u32
    }
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_exact_at(buffer, at)
    }
    fn read_uncached_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.disk.read_exact_at(buffer, at)
    }
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write_all_at(bytes, at)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Esp for FileDevice {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        let entries = fs::read_dir(self.dir.join("esp"))?.map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.len()))
        });
        entries.collect()
    }
    fn room(&mut self) -> io::Result<u64> {
        Ok(self.room)
    }
    fn writable(&mut self) -> bool {
        !self.read_only
    }
    fn read_at(&mut self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        File::open(self.kernel(name))?.read_at(buffer, at)
    }
    fn read_uncached_at(&mut self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Esp::read_at(self, name, at, buffer)
    }
    fn create(&mut self, name: &str) -> io::Result<()> {
        File::create_new(self.kernel(name)).map(drop)
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        File::options().append(true).open(self.kernel(name))?.write_all(bytes)
    }
    fn overwrite(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        File::options().write(true).open(self.kernel(name))?.write_all_at(bytes, at)
    }
    fn sync(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        fs::remove_file(self.kernel(name))
    }
    fn sync_folder(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl JournalFile for FileDevice {
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.on_var("journal")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some),
        }
    }
    fn write_temporary(&mut self, bytes: &[u8]) -> io::Result<()> {
        fs::write(self.on_var("journal.new"), bytes)
    }
    fn sync_temporary(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn rename(&mut self) -> io::Result<()> {
        fs::rename(self.on_var("journal.new"), self.on_var("journal"))
    }
    fn sync_folder(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn room(&mut self) -> io::Result<u64> {
        Ok(1 << 30)
    }
}

impl Device for FileDevice {
    fn disk(&mut self) -> &mut dyn Disk {
        self
    }
    fn esp(&mut self) -> &mut dyn Esp {
        self
    }
    fn journal(&mut self) -> &mut dyn JournalFile {
        self
    }
    fn progress(&self) -> u64 {
        self.progress
    }
}
