//! The device under test: the recorded machine behind the updater's traits, its ESP a mounted FAT32 file system.

use std::io;
use std::rc::Rc;

use geminios_slots::Image;
use geminios_slots::device::{Device, Disk, Esp, JournalFile, Source};
use hadris_fat::sync::FatFs;
use hadris_fs::sync::Volume;
use hadris_fs::{MountOptions, OpenOptions};
use hadris_io::{Error, ErrorKind, ErrorType};
use hadris_storage::sync::BlockDevice;
use hadris_storage::{BlockIndex, BlockSize};

use crate::fat::Fat;
use crate::machine::{JournalOp, Machine, Op, SECTOR, Shared};
use crate::world::{ESP, ESP_SIZE, System};

const FOLDER: &str = "EFI/Linux";

pub struct View(Shared);

impl ErrorType for View {
    type Error = io::Error;
}

impl BlockDevice for View {
    fn block_size(&self) -> BlockSize {
        BlockSize::new(SECTOR as u32).unwrap()
    }
    fn block_count(&self) -> u64 {
        (ESP_SIZE / SECTOR) as u64
    }
    fn writable(&self) -> bool {
        !self.0.borrow().faults.read_only_esp
    }
    fn read_blocks(&mut self, first: BlockIndex, buffer: &mut [u8]) -> Result<(), Error<io::Error>> {
        self.0.borrow().read(ESP + first.get() as usize * SECTOR, buffer);
        Ok(())
    }
    fn write_blocks(&mut self, first: BlockIndex, bytes: &[u8]) -> Result<(), Error<io::Error>> {
        let mut machine = self.0.borrow_mut();
        machine.step().map_err(|error| Error::device(error, "injected"))?;
        machine.write(ESP + first.get() as usize * SECTOR, bytes, true);
        Ok(())
    }
}

pub struct TestDevice {
    pub machine: Shared,
    pub volume: Volume<FatFs<View>>,
    /// A rename in the place of showing: what the crate does not do (see mutations).
    pub by_rename: bool,
}

impl TestDevice {
    pub fn new(machine: Shared) -> Self {
        let fs = FatFs::mount(View(machine.clone()), MountOptions::new());
        let fs = fs.map_err(|_| "the ESP does not mount").unwrap();
        TestDevice { machine, volume: Volume::new(fs), by_rename: false }
    }

    fn step(&self) -> io::Result<()> {
        self.machine.borrow_mut().step()
    }

    fn path(&self, name: &str) -> String {
        let temporary = format!("{FOLDER}/{name}.new");
        if self.by_rename && self.volume.exists(&temporary).unwrap_or(false) {
            return temporary;
        }
        format!("{FOLDER}/{name}")
    }

    fn read(&mut self, name: &str, at: u64, buffer: &mut [u8], uncached: bool) -> io::Result<usize> {
        self.step()?;
        self.machine.borrow_mut().uncached = uncached;
        let file = self.volume.open(self.path(name), OpenOptions::new().read());
        let read = file.and_then(|file| {
            let read = file.read_at(at, buffer)?;
            file.close().map(|()| read)
        });
        self.machine.borrow_mut().uncached = false;
        read.map_err(into_io)
    }
}

pub fn into_io(error: Error<io::Error>) -> io::Error {
    let kind = match error.kind() {
        ErrorKind::NotFound => io::ErrorKind::NotFound,
        ErrorKind::AlreadyExists => io::ErrorKind::AlreadyExists,
        ErrorKind::NoSpace => io::ErrorKind::StorageFull,
        ErrorKind::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error.to_string())
}

impl Disk for TestDevice {
    fn size(&self) -> u64 {
        self.machine.borrow().pages.size() as u64
    }
    fn block_size(&self) -> u32 {
        SECTOR as u32
    }
    fn read_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.step()?;
        self.machine.borrow().read(at as usize, buffer);
        Ok(())
    }
    fn read_uncached_at(&mut self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.machine.borrow_mut().uncached = true;
        let result = Disk::read_at(self, at, buffer);
        self.machine.borrow_mut().uncached = false;
        result
    }
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        self.machine.borrow_mut().write(at as usize, bytes, false);
        Ok(())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.step()?;
        let mut machine = self.machine.borrow_mut();
        if !machine.faults.no_flush {
            machine.ops.push(Op::FlushRaw);
        }
        Ok(())
    }
}

impl Esp for TestDevice {
    fn list(&mut self) -> io::Result<Vec<(String, u64)>> {
        self.step()?;
        let mut files = Vec::new();
        let mut entries = self.volume.read_dir(FOLDER).map_err(into_io)?;
        while let Some(entry) = entries.next_entry() {
            let entry = entry.map_err(into_io)?;
            files.push((entry.name().to_string(), entry.metadata().len()));
        }
        Ok(files)
    }
    fn room(&mut self) -> io::Result<u64> {
        self.step()?;
        // What the file system would say, who counts the whole table anew each time.
        Ok(Fat::open(&self.machine.borrow().pages, ESP).unwrap().room() as u64)
    }
    fn writable(&mut self) -> bool {
        !self.machine.borrow().faults.read_only_esp
    }
    fn read_at(&mut self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(name, at, buffer, false)
    }
    fn read_uncached_at(&mut self, name: &str, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(name, at, buffer, true)
    }
    fn create(&mut self, name: &str) -> io::Result<()> {
        self.step()?;
        let name = if self.by_rename { format!("{name}.new") } else { name.to_owned() };
        let file = self.volume.open(format!("{FOLDER}/{name}"), OpenOptions::new().write().create_new());
        file.and_then(|file| file.close()).map_err(into_io)
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        let file = self.volume.open(self.path(name), OpenOptions::new().write().append());
        let written = file.and_then(|mut file| {
            let mut done = 0;
            while done < bytes.len() {
                done += file.write(&bytes[done..])?;
            }
            file.close()
        });
        written.map_err(into_io)
    }
    fn overwrite(&mut self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        let path = self.path(name);
        let file = self.volume.open(&path, OpenOptions::new().write());
        let written = file.and_then(|file| {
            file.write_at(at, bytes)?;
            file.close()
        });
        written.map_err(into_io)?;
        if path.ends_with(".new") {
            self.sync(name)?;
            self.volume.rename(&path, format!("{FOLDER}/{name}")).map_err(into_io)?;
        }
        Ok(())
    }
    fn sync(&mut self, _: &str) -> io::Result<()> {
        self.step()?;
        let mut machine = self.machine.borrow_mut();
        let folders = Fat::open(&machine.pages, ESP).unwrap().folder_sectors();
        machine.ops.push(Op::SyncFile(Rc::new(folders)));
        Ok(())
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.step()?;
        self.volume.remove_file(self.path(name)).map_err(into_io)
    }
    fn sync_folder(&mut self) -> io::Result<()> {
        self.step()?;
        self.volume.lock().and_then(|mut fs| fs.sync()).map_err(into_io)?;
        self.machine.borrow_mut().ops.push(Op::SyncFolder);
        Ok(())
    }
}

impl JournalFile for TestDevice {
    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        self.step()?;
        Ok(self.machine.borrow().journal.file.clone())
    }
    fn write_temporary(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        self.machine.borrow_mut().journal(JournalOp::Temporary(bytes.to_vec()));
        Ok(())
    }
    fn sync_temporary(&mut self) -> io::Result<()> {
        self.step()?;
        self.machine.borrow_mut().journal(JournalOp::SyncTemporary);
        Ok(())
    }
    fn rename(&mut self) -> io::Result<()> {
        self.step()?;
        self.machine.borrow_mut().journal(JournalOp::Rename);
        Ok(())
    }
    fn sync_folder(&mut self) -> io::Result<()> {
        self.step()?;
        self.machine.borrow_mut().journal(JournalOp::SyncFolder);
        Ok(())
    }
    fn room(&mut self) -> io::Result<u64> {
        Ok(1 << 20)
    }
}

impl Device for TestDevice {
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
        64 << 10
    }
}

/// Hands out a release's bytes, and fails at a place if told to.
pub struct Bytes<'a>(pub &'a System);

impl Source for Bytes<'_> {
    fn read(&mut self, image: Image, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = match image {
            Image::Root => &self.0.root,
            Image::Verity => &self.0.verity,
            Image::Uki => &self.0.uki,
        };
        let rest = &bytes[(at as usize).min(bytes.len())..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// For callers that want nothing streamed.
pub struct Nothing;

impl Source for Nothing {
    fn read(&mut self, _: Image, _: u64, _: &mut [u8]) -> io::Result<usize> {
        panic!("nothing is to be streamed")
    }
}

pub fn fresh(pages: crate::machine::Pages, journal: Option<Vec<u8>>) -> TestDevice {
    TestDevice::new(Machine::new(pages, journal, crate::machine::Faults::default()))
}
