//! A disk in memory that writes down what is written and when it is flushed.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

pub const SECTOR: usize = 512;
const PAGE: usize = 4096;
/// Sectors of one recorded write: a cut falls between two of them.
const UNIT: usize = 8;

/// Pages that are shared as one.
const GROUP: usize = 128;

type Group = Vec<Rc<[u8; PAGE]>>;

/// Bytes of a disk; copies share pages.
#[derive(Clone)]
pub struct Pages(Vec<Rc<Group>>, usize);

impl Pages {
    pub fn zeroed(size: usize) -> Self {
        assert!(size % PAGE == 0);
        let page = Rc::new([0; PAGE]);
        let group = Rc::new(vec![page; GROUP]);
        Pages(vec![group; size.div_ceil(PAGE * GROUP)], size)
    }

    pub fn size(&self) -> usize {
        self.1
    }

    pub fn read(&self, mut at: usize, mut buffer: &mut [u8]) {
        while !buffer.is_empty() {
            let (page, from) = (at / PAGE, at % PAGE);
            let length = buffer.len().min(PAGE - from);
            buffer[..length].copy_from_slice(&self.0[page / GROUP][page % GROUP][from..from + length]);
            buffer = &mut buffer[length..];
            at += length;
        }
    }

    /// A sector, without copying it.
    pub fn sector(&self, at: usize) -> &[u8] {
        let page = at / PAGE;
        &self.0[page / GROUP][page % GROUP][at % PAGE..][..SECTOR]
    }

    pub fn get(&self, at: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read(at, &mut bytes);
        bytes
    }

    pub fn write(&mut self, mut at: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (page, from) = (at / PAGE, at % PAGE);
            let length = bytes.len().min(PAGE - from);
            let group = Rc::make_mut(&mut self.0[page / GROUP]);
            Rc::make_mut(&mut group[page % GROUP])[from..from + length].copy_from_slice(&bytes[..length]);
            bytes = &bytes[length..];
            at += length;
        }
    }
}

/// The journal's file, its temporary, and what of them is durable. ext4 keeps a rename whole, but may keep it before
/// the bytes of a file that was never synced.
#[derive(Clone, Default, Debug)]
pub struct JournalDisk {
    pub file: Option<Vec<u8>>,
    pub temporary: Option<Vec<u8>>,
    pub temporary_synced: bool,
    /// The old file, until the folder is synced.
    pub before: Option<Option<Vec<u8>>>,
}

#[derive(Clone)]
pub enum Op {
    /// To the disk, past the partition's file system.
    Raw(usize, Vec<u8>),
    /// By the ESP's file system.
    Esp(usize, Vec<u8>),
    FlushRaw,
    /// fsync of a file: all but the folders, whose sectors are these.
    SyncFile(Rc<HashSet<usize>>),
    SyncFolder,
    Journal(JournalOp),
}

#[derive(Clone)]
pub enum JournalOp {
    Temporary(Vec<u8>),
    SyncTemporary,
    Rename,
    SyncFolder,
}

impl JournalDisk {
    pub fn apply(&mut self, op: &JournalOp) {
        match op {
            JournalOp::Temporary(bytes) => {
                (self.temporary, self.temporary_synced) = (Some(bytes.clone()), false)
            }
            JournalOp::SyncTemporary => self.temporary_synced = true,
            JournalOp::Rename => {
                self.before = Some(self.file.take());
                self.file = self.temporary.take();
            }
            JournalOp::SyncFolder => self.before = None,
        }
    }

    /// What a cut leaves.
    pub fn cut(&self, keep: bool) -> Option<Vec<u8>> {
        match &self.before {
            Some(before) if !keep => before.clone(),
            Some(_) if !self.temporary_synced => {
                self.file.as_ref().map(|file| file[..file.len() / 2].to_vec())
            }
            _ => self.file.clone(),
        }
    }
}

/// What goes wrong by itself.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// This operation, counted from 0, fails.
    pub fail: Option<usize>,
    /// This write is acknowledged and lost; the cache shows it all the same.
    pub lie: Option<usize>,
    pub read_only_esp: bool,
    /// Flushes of the disk are acknowledged and not done.
    pub no_flush: bool,
}

pub struct Machine {
    /// As the running system sees it.
    pub pages: Pages,
    /// As the medium has it, if it lies.
    pub medium: Option<Pages>,
    pub journal: JournalDisk,
    pub ops: Vec<Op>,
    pub faults: Faults,
    /// Operations so far, and writes among them.
    pub operations: usize,
    pub writes: usize,
    /// Reads go to the medium.
    pub uncached: bool,
}

pub type Shared = Rc<RefCell<Machine>>;

impl Machine {
    pub fn new(pages: Pages, journal: Option<Vec<u8>>, faults: Faults) -> Shared {
        let medium = faults.lie.map(|_| pages.clone());
        let journal = JournalDisk { file: journal, ..JournalDisk::default() };
        let (ops, operations, writes, uncached) = (Vec::new(), 0, 0, false);
        Rc::new(RefCell::new(Machine { pages, medium, journal, ops, faults, operations, writes, uncached }))
    }

    pub fn step(&mut self) -> std::io::Result<()> {
        let now = self.operations;
        self.operations += 1;
        if self.faults.fail == Some(now) { Err(std::io::Error::other("injected")) } else { Ok(()) }
    }

    pub fn read(&self, at: usize, buffer: &mut [u8]) {
        match &self.medium {
            Some(medium) if self.uncached => medium.read(at, buffer),
            _ => self.pages.read(at, buffer),
        }
    }

    pub fn write(&mut self, at: usize, bytes: &[u8], esp: bool) {
        assert!(at % SECTOR == 0 && bytes.len() % SECTOR == 0, "whole sectors: {at} {}", bytes.len());
        for (i, unit) in bytes.chunks(UNIT * SECTOR).enumerate() {
            let at = at + i * UNIT * SECTOR;
            self.pages.write(at, unit);
            if self.faults.lie != Some(self.writes)
                && let Some(medium) = &mut self.medium
            {
                medium.write(at, unit);
            }
            self.writes += 1;
            self.ops.push(if esp { Op::Esp(at, unit.to_vec()) } else { Op::Raw(at, unit.to_vec()) });
        }
    }

    pub fn journal(&mut self, op: JournalOp) {
        self.journal.apply(&op);
        self.ops.push(Op::Journal(op));
    }
}
