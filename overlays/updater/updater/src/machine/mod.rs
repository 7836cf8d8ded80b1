//! The device: its disk, its EFI system partition, its journal, the programs on it, and time.
//!
//! [`Host`] is what tests replace. [`Machine`] is the device held for one verb: nobody else changes slots meanwhile.

mod clock;
mod commands;
mod direct;
mod disk;
mod error;
mod esp;
mod journal;
mod lock;
mod paths;
mod place;

use std::fs::File;
use std::time::Duration;

use geminios_slots::backend::Backend;
use geminios_slots::device::{Device, Disk, Esp, JournalFile, Source};
use geminios_slots::{
    BlsCount, Image as Part, Observed, RootHash, RunError, Step, observe, plan_recover, run,
};

use crate::image::{self, Image};

pub use clock::{Clock, SystemClock};
pub use commands::{Command, Commands, Outcome, Programs};
pub use disk::WholeDisk;
pub use error::MachineError;
pub(crate) use error::io;
pub use esp::{Kernels, OpenEsp, PrivateMount};
pub use journal::JournalOnVar;
pub use lock::Lock;
pub use paths::Paths;
pub use place::{Partition, Place};

/// What the program is run on.
pub struct Host {
    pub paths: Paths,
    pub esp: Box<dyn OpenEsp>,
    pub commands: Box<dyn Commands>,
    pub clock: Box<dyn Clock>,
}

impl Default for Host {
    /// The real one.
    fn default() -> Self {
        Host {
            paths: Paths::default(),
            esp: Box::new(PrivateMount),
            commands: Box::new(Programs),
            clock: Box::new(SystemClock),
        }
    }
}

impl Host {
    /// What the running image says of itself.
    ///
    /// # Errors
    /// It says nothing, or of a format that is not known.
    pub fn image(&self) -> Result<Image, MachineError> {
        Image::read(&self.paths.at(image::FILE)).map_err(MachineError::Image)
    }

    /// `roothash=` of the running kernel's command line.
    ///
    /// # Errors
    /// There is none.
    pub fn running(&self) -> Result<RootHash, MachineError> {
        let path = self.paths.at("/proc/cmdline");
        let text = std::fs::read_to_string(&path).map_err(io("read", &path))?;
        let mut hashes = text.split_ascii_whitespace().filter_map(|word| word.strip_prefix("roothash="));
        hashes.next().and_then(|hash| hash.parse().ok()).ok_or(MachineError::NoRootHash)
    }
}

/// What a verb is going to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reads; the file system is mounted as it is.
    Look,
    Change,
}

/// The device, held.
pub struct Machine {
    pub device: Linux,
    pub backend: Box<dyn Backend>,
    pub running: RootHash,
    pub image: Image,
    place: Place,
    _lock: Lock,
}

impl Machine {
    /// Waits at most `patience` for another updater to finish. `verb` is what others are told of this one.
    ///
    /// # Errors
    /// Another works still; this is no device of ours, or not a whole one.
    pub fn open(
        host: &Host,
        verb: &str,
        access: Access,
        patience: Duration,
    ) -> Result<Machine, MachineError> {
        let deadline = host.clock.uptime() + patience;
        let lock = Lock::take(&host.paths.runtime(), verb, patience, &*host.clock)?;
        let (image, running) = (host.image()?, host.running()?);
        let backend = backend(&image)?;
        let writable = access == Access::Change;
        let mut place = Place::find(&host.paths)?;
        // Somebody looks at it.
        while writable && place.esp.mounted.is_some() && host.clock.uptime() < deadline {
            host.clock.sleep(Duration::from_secs(1));
            place = Place::find(&host.paths)?;
        }
        let disk = WholeDisk::open(&place.disk, place.size, place.block, writable);
        let disk = disk.map_err(io("open", &place.disk))?;
        let kernels = host.esp.open(&place.esp, writable, &*host.commands)?;
        let journal = JournalOnVar::in_folder(&host.paths.state());
        let device = Linux { disk, kernels, journal, now: host.clock.now() };
        Ok(Machine { device, backend, running, image, place, _lock: lock })
    }

    /// Looks at the disk.
    ///
    /// # Errors
    /// Those of reading.
    pub fn observe(&mut self) -> Result<Observed, MachineError> {
        observe(&mut self.device, self.running).map_err(MachineError::Observe)
    }

    /// Opens the disk once more, to be read while it is written to.
    pub fn disk_reader(&self) -> impl Fn() -> std::io::Result<WholeDisk> + use<> {
        let place = self.place.clone();
        move || WholeDisk::open(&place.disk, place.size, place.block, false)
    }

    /// Opens a kernel of the EFI system partition.
    ///
    /// # Errors
    /// Those of the kernel: too many open files.
    pub fn kernel_reader(&self) -> std::io::Result<impl Fn(&str) -> std::io::Result<File> + use<>> {
        let kernels = self.device.kernels.again()?;
        Ok(move |name: &str| kernels.reader(name))
    }

    /// Does steps that need no bytes of a release.
    ///
    /// # Errors
    /// The first step that failed.
    pub fn run(&mut self, steps: &[Step]) -> Result<(), RunError> {
        run(steps, &mut self.device, &mut NoSource)
    }

    /// Cleans up after a cut and writes down what happened meanwhile. Gives what was done, as people read it, and what is
    /// seen afterwards.
    ///
    /// # Errors
    /// The disk is not one that this could be done on.
    pub fn recover(&mut self) -> Result<(Vec<String>, Observed), MachineError> {
        let seen = self.observe()?;
        let steps = plan_recover(&seen, &*self.backend)?;
        if steps.is_empty() {
            return Ok((Vec::new(), seen));
        }
        self.run(&steps)?;
        Ok((steps.iter().map(Step::to_string).collect(), self.observe()?))
    }
}

fn backend(image: &Image) -> Result<Box<dyn Backend>, MachineError> {
    match image.boot.as_str() {
        "bls-count" => Ok(Box::new(BlsCount)),
        "uboot-env" | "rpi-tryboot" => Err(MachineError::NoBootBytes { boot: image.boot.clone() }),
        _ => Err(MachineError::UnknownBoot { boot: image.boot.clone() }),
    }
}

/// What steps are done on.
#[derive(Debug)]
pub struct Linux {
    disk: WholeDisk,
    kernels: Kernels,
    journal: JournalOnVar,
    now: u64,
}

impl Device for Linux {
    fn disk(&mut self) -> &mut dyn Disk {
        &mut self.disk
    }

    fn esp(&mut self) -> &mut dyn Esp {
        &mut self.kernels
    }

    fn journal(&mut self) -> &mut dyn JournalFile {
        &mut self.journal
    }

    fn now(&self) -> Option<u64> {
        Some(self.now)
    }
}

struct NoSource;

impl Source for NoSource {
    fn read(&mut self, image: Part, _: u64, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other(format!("nobody brings a {image} here")))
    }
}
