//! Reads what is true: the partition table, the boot loader's entries, the running system. The journal comes last.

use std::io;

use crate::backend::{Backend, Entry};
use crate::device::{Device, Disk};
use crate::digest::RootHash;
use crate::gpt::{Gpt, GptError, Side};
use crate::journal::{self, Journal, JournalError};
use crate::name::{self, UkiName};
use crate::state::{Slot, State};
use crate::step::Extent;
use crate::uki::{self, UkiInfo};

/// Everything that a plan is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// `roothash=` of the running kernel's command line.
    pub running: RootHash,
    pub last_block: u64,
    pub primary: Result<Gpt, GptError>,
    pub backup: Result<Gpt, GptError>,
    /// Files in EFI/Linux that are ours, by their names.
    pub ukis: Vec<UkiFile>,
    /// Bytes that the ESP has left.
    pub esp_room: u64,
    pub esp_writable: bool,
    pub journal: Result<Journal, JournalError>,
    /// Bytes that the journal's file system has left.
    pub journal_room: u64,
    /// Copies of what another boot loader than systemd-boot reads.
    pub boot_bytes: Vec<Vec<u8>>,
}

/// A file in EFI/Linux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UkiFile {
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Its name in parts; None if only a short name is left of it.
    pub name: Option<UkiName>,
    /// What it says of itself, or why the boot loader would not list it.
    pub info: Result<UkiInfo, &'static str>,
}

/// Looks at a device.
///
/// # Errors
/// Those of reading. Damage is no error here; it stands in the result.
pub fn observe(device: &mut dyn Device, running: RootHash) -> io::Result<Observed> {
    let disk = device.disk();
    let (primary, backup) = (table(disk, Side::Primary), table(disk, Side::Backup));
    let last_block = (disk.size() / u64::from(disk.block_size().max(1))).saturating_sub(1);
    let esp = device.esp();
    let mut ukis = Vec::new();
    for (file, size) in esp.list()? {
        let name = UkiName::parse(&file);
        if name.is_none() && !name::may_be_ours(&file) {
            continue;
        }
        let info = uki::read(&mut |at, buffer| esp.read_at(&file, at, buffer), false)?;
        ukis.push(UkiFile { file, size, name, info });
    }
    ukis.sort_by(|a, b| a.file.cmp(&b.file));
    let (esp_room, esp_writable) = (esp.room()?, esp.writable());
    let journal = journal::load(device.journal())?;
    let journal_room = device.journal().room()?;
    let mut boot_bytes = Vec::new();
    if let Some(bytes) = device.boot_bytes() {
        for copy in 0..2 {
            match bytes.read(copy) {
                Ok(found) => boot_bytes.push(found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Observed {
        running,
        last_block,
        primary,
        backup,
        ukis,
        esp_room,
        esp_writable,
        journal,
        journal_room,
        boot_bytes,
    })
}

fn table(disk: &mut dyn Disk, side: Side) -> Result<Gpt, GptError> {
    let (size, block) = (disk.size(), disk.block_size());
    let mut read = |at, buffer: &mut [u8]| disk.read_at(at, buffer).map_err(|error| error.to_string());
    Gpt::read(&mut read, size, block, side)
}

impl Observed {
    /// The table by which the machine boots: the primary if it is valid, else the backup.
    pub fn gpt(&self) -> Option<&Gpt> {
        self.primary.as_ref().or(self.backup.as_ref()).ok()
    }

    /// The root hash by which a slot would be found.
    pub fn root_hash(&self, slot: Slot) -> Option<RootHash> {
        self.gpt()?.root_hash(slot)
    }

    /// The slot that runs; None if the table does not have it.
    pub fn running_slot(&self) -> Option<Slot> {
        Slot::BOTH.into_iter().find(|slot| self.root_hash(*slot) == Some(self.running))
    }

    /// Root and verity partition of a slot.
    pub fn extents(&self, slot: Slot) -> Option<(Extent, Extent)> {
        let gpt = self.gpt()?;
        Some((gpt.extent(slot.root_label())?, gpt.extent(slot.verity_label())?))
    }

    /// Programs that boot a slot.
    pub fn ukis_of(&self, slot: Slot) -> impl Iterator<Item = (&UkiFile, &UkiName, &UkiInfo)> {
        let hash = self.root_hash(slot);
        self.ukis.iter().filter_map(move |file| {
            let (name, info) = (file.name.as_ref()?, file.info.as_ref().ok()?);
            (Some(info.root_hash) == hash).then_some((file, name, info))
        })
    }

    /// The version in a slot, as the kernel on the ESP says it.
    pub fn version(&self, slot: Slot) -> Option<&str> {
        self.ukis_of(slot).next().map(|(_, _, info)| info.version.as_str())
    }

    /// What a slot is.
    pub fn state(&self, backend: &dyn Backend, slot: Slot) -> State {
        let journal = self.journal.as_ref().ok();
        let hash = self.root_hash(slot);
        let failure = journal.and_then(|j| j.failed.values().find(|failure| failure.root_hash == hash));
        let running = self.running_slot() == Some(slot);
        match backend.entry(self, slot) {
            Entry::Blessed => State::Blessed,
            Entry::Trying(left) => State::Trying(left),
            // It runs: this is the last try.
            Entry::Exhausted if running => State::Trying(0),
            Entry::Exhausted => State::Bad(failure.map_or("its tries ran out", |f| &f.reason).to_owned()),
            // Given up, and about to be left.
            Entry::None if running => failure.map_or(State::Ready, |f| State::Bad(f.reason.clone())),
            Entry::None => match journal.and_then(|j| j.work.as_ref()).filter(|work| work.slot == slot) {
                Some(work) if work.verified => State::Ready,
                Some(_) => State::Writing,
                None => failure.map_or(State::Empty, |f| State::Bad(f.reason.clone())),
            },
        }
    }
}
