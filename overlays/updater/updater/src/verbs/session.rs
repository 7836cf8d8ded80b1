//! What `check` and `install` work with, and how both look for a release.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use geminios_slots::backend::Backend;
use geminios_slots::device::{Device, Source};
use geminios_slots::{Image as Part, Observed, RootHash, RunError, observe, plan_recover, run};
use geminios_update_format::release::{self as format, Older};
use geminios_update_format::{Digest, UnixTime};
use semver::Version;

use crate::config::{Config, now_in};
use crate::image::Image;
use crate::supply::{
    Limits, Meter, Offer, Old, OldImage, Patience, Place, ReadAt, Sticks, Supply, SupplyError, Tell, Trust,
    Web, Written, at_path, at_url, offered, on_sticks,
};

/// Failures in a row after which metadata is given up: until it is there, the lock is held for nothing.
pub(super) const FILES: u32 = 3;

/// Everything of the device. The caller holds its lock.
pub struct Session<'a> {
    pub image: &'a Image,
    pub config: &'a Config,
    /// What outlives restarts: trust, budget.
    pub folder: PathBuf,
    /// The image's first root of trust.
    pub root_of_trust: PathBuf,
    /// What the clock says.
    pub now: UnixTime,
    pub device: &'a mut dyn Device,
    pub backend: &'a dyn Backend,
    pub running: RootHash,
    /// The whole disk, and a file of EFI/Linux, to be read while the device is written to.
    pub disk: &'a dyn Fn() -> io::Result<Box<dyn ReadAt>>,
    pub kernel: &'a dyn Fn(&str) -> io::Result<Box<dyn ReadAt>>,
    pub sticks: &'a dyn Sticks,
    pub limits: Limits,
    pub tell: Tell,
}

/// Why nothing was installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    #[error(transparent)]
    Supply(Box<SupplyError>),
    /// It is not for this device, or not for its data.
    #[error(transparent)]
    Contract(Box<format::Refusal>),
    /// Its slots do not allow it now.
    #[error(transparent)]
    Slots(Box<geminios_slots::Refusal>),
    #[error("looking at the disk: {0}\n  help: the disk may be failing; see the kernel's messages")]
    Observe(io::Error),
    #[error("{0}\n  help: what was done stays, and the system that runs is whole; run this again to go on")]
    Step(RunError),
    #[error("{0}")]
    Snapshot(String),
    #[error(
        "nobody said where releases are\n  help: set `url` in {}, or use --from",
        crate::config::DEVICE_FILE
    )]
    NoPlace,
    #[error(
        "no USB stick with a file *.gemini or a folder geminios is plugged in\n  help: its file system must be FAT, exFAT or ext4"
    )]
    NoStick,
}

impl From<SupplyError> for Problem {
    fn from(error: SupplyError) -> Self {
        Problem::Supply(Box::new(error))
    }
}

impl From<format::Refusal> for Problem {
    fn from(refusal: format::Refusal) -> Self {
        Problem::Contract(Box::new(refusal))
    }
}

impl From<geminios_slots::Refusal> for Problem {
    fn from(refusal: geminios_slots::Refusal) -> Self {
        Problem::Slots(Box::new(refusal))
    }
}

/// Exit status of both verbs.
pub mod status {
    /// Done, or nothing was to be done.
    pub const DONE: u8 = 0;
    /// The link, the disk.
    pub const FAILED: u8 = 1;
    /// The release or the repository is not taken, and why was said.
    pub const REFUSED: u8 = 3;
    /// Not now: the day's budget is spent, or the window is closed.
    pub const LATER: u8 = 4;
    /// `check`: there is a release to be installed.
    pub const AVAILABLE: u8 = 10;
}

impl Problem {
    pub fn status(&self) -> u8 {
        match self {
            Problem::Supply(error) if error.is_pause() => status::LATER,
            Problem::Supply(error) if error.is_refusal() => status::REFUSED,
            Problem::Contract(_) | Problem::Slots(_) => status::REFUSED,
            _ => status::FAILED,
        }
    }

    /// A step's failure; what the supply said is told as it said it.
    pub(super) fn of_step(error: RunError) -> Self {
        let RunError { step, cause } = error;
        match cause {
            geminios_slots::Cause::Io(error) => match error.downcast::<SupplyError>() {
                Ok(error) => error.into(),
                Err(error) => Problem::Step(RunError { step, cause: geminios_slots::Cause::Io(error) }),
            },
            cause => Problem::Step(RunError { step, cause }),
        }
    }
}

/// What a person asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub from: Option<Place>,
    /// This version, whatever its channel.
    pub version: Option<Version>,
    pub allow_older: bool,
    /// By the timer: windows and the budget count.
    pub automatic: bool,
}

impl Session<'_> {
    /// Seconds for which an automatic run may work; None: not now.
    pub(super) fn open_for(&self, wanted: &Wanted) -> Option<u64> {
        if wanted.automatic { now_in(&self.config.windows, self.now) } else { Some(u64::MAX) }
    }

    /// `failures` in a row end the fetching of a release's bytes; None: nothing does.
    pub(super) fn web(&self, wanted: &Wanted, failures: Option<u32>) -> Web {
        let open = self.open_for(wanted).filter(|seconds| *seconds < u64::MAX);
        let until = open.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let budget = self.config.budget.filter(|_| wanted.automatic);
        let meter = Meter::open(&self.folder.join("budget.json"), self.now, budget);
        let patience = |failures| Patience { pause: self.limits.pause, failures, until };
        Web {
            limits: self.limits.clone(),
            files: patience(Some(FILES)),
            blobs: patience(failures),
            meter: Rc::new(RefCell::new(meter)),
            part: self.folder.join("part"),
        }
    }

    /// Where to look, the best place first: what is plugged in needs no link.
    fn supplies(&self, wanted: &Wanted, web: &Web) -> Result<Vec<Box<dyn Supply>>, Problem> {
        match &wanted.from {
            Some(Place::Url(url)) => return Ok(vec![at_url(url, web, &self.tell)]),
            Some(Place::Path(path)) => return Ok(vec![at_path(path)?]),
            Some(Place::Usb) => {
                let found = on_sticks(self.sticks, &self.tell);
                return if found.is_empty() { Err(Problem::NoStick) } else { Ok(found) };
            }
            None => {}
        }
        let mut found = Vec::new();
        if wanted.automatic && self.config.usb {
            found = on_sticks(self.sticks, &self.tell);
        }
        found.extend(self.config.url.iter().map(|url| at_url(url, web, &self.tell)));
        if found.is_empty() { Err(Problem::NoPlace) } else { Ok(found) }
    }

    /// The newest release that is signed and offered, and who has it; none if nobody has one for this device.
    pub(super) fn find(
        &self,
        wanted: &Wanted,
        web: &Web,
    ) -> Result<(Box<dyn Supply>, Option<Offer>), Problem> {
        let mut trust = Trust::open(&self.folder, &self.root_of_trust)?;
        if let Some(reason) = &trust.began_anew {
            (self.tell)(&format!("the state of trust begins anew from the image's root: {reason}"));
        }
        let mut supplies = self.supplies(wanted, web)?;
        let alone = supplies.len() == 1;
        let mut best: Option<(Box<dyn Supply>, Option<Offer>)> = None;
        let mut last = None;
        let version = |offer: &Option<Offer>| offer.as_ref().map(|offer| offer.release.version.clone());
        for mut supply in supplies.drain(..) {
            let choice = (self.config.channel.as_str(), wanted.version.as_ref());
            let time = (self.now, self.image.built);
            match offered(&mut trust, &mut *supply, &self.image.device(), choice, time) {
                Ok(offer) => {
                    if best.as_ref().is_none_or(|(_, other)| version(&offer) > version(other)) {
                        best = Some((supply, offer));
                    }
                }
                Err(error) if alone => return Err(error.into()),
                Err(error) => {
                    (self.tell)(&format!("{}: {error}", supply.place()));
                    last = Some(error);
                }
            }
        }
        match (best, last) {
            (Some(best), _) => Ok(best),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Err(Problem::NoPlace),
        }
    }

    /// Whether it is for this device and its data.
    pub(super) fn fits(&self, wanted: &Wanted, offer: &Offer) -> Result<(), Problem> {
        let older = if wanted.allow_older { Older::Allowed } else { Older::Refused };
        Ok(format::check(&offer.release, &self.image.device(), older)?)
    }

    pub(super) fn observe(&mut self) -> Result<Observed, Problem> {
        observe(self.device, self.running).map_err(Problem::Observe)
    }

    /// Cleans up what a cut left.
    pub(super) fn recover(&mut self) -> Result<Observed, Problem> {
        let seen = self.observe()?;
        let steps = plan_recover(&seen, self.backend)?;
        if steps.is_empty() {
            return Ok(seen);
        }
        run(&steps, self.device, &mut Nothing).map_err(Problem::Step)?;
        steps.iter().for_each(|step| (self.tell)(&format!("recovered: {step}")));
        self.observe()
    }

    /// What the running system has to build upon. What cannot be opened is not there.
    pub(super) fn old(&self, seen: &Observed) -> Old {
        let mut old = Old::default();
        let Some(running) = seen.running_slot() else { return old };
        let part = |extent: geminios_slots::Extent| {
            let reader = (self.disk)().ok()?;
            Some(OldImage { reader, start: extent.start, size: extent.size })
        };
        if let Some((root, verity)) = seen.extents(running) {
            (old.root, old.verity) = (part(root), part(verity));
        }
        if let Some((root, verity)) = seen.extents(running.other()) {
            (old.new_root, old.new_verity) = (part(root), part(verity));
        }
        old.root_hash = Some(Digest(self.running.0));
        let kernel = seen.ukis_of(running).next().map(|(file, _, _)| (file.file.clone(), file.size));
        old.uki = kernel
            .and_then(|(name, size)| Some(OldImage { reader: (self.kernel)(&name).ok()?, start: 0, size }));
        old
    }
}

/// What a run before has written of this release, as its journal claims.
pub(super) fn written(seen: &Observed, release: &geminios_slots::Release) -> Written {
    let journal = seen.journal.as_ref().ok();
    let work = journal.and_then(|journal| journal.work.as_ref()).filter(|work| work.release == *release);
    work.map_or(Written::default(), |work| Written {
        root: work.root.map_or(0, |done| done.bytes),
        verity: work.verity.map_or(0, |done| done.bytes),
    })
}

/// The release as the slots know it.
pub(super) fn for_slots(release: &format::Release) -> geminios_slots::Release {
    let blob = |image: &format::Image| geminios_slots::Blob {
        size: image.size,
        sha256: geminios_slots::Sha256Sum(image.sha256.0),
    };
    geminios_slots::Release {
        version: release.version.to_string(),
        root_hash: RootHash(release.root_hash.0),
        root: blob(&release.root),
        verity: blob(&release.verity),
        uki: blob(&release.uki),
    }
}

struct Nothing;

impl Source for Nothing {
    fn read(&mut self, image: Part, _: u64, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other(format!("cleaning up needs no {image}")))
    }
}
