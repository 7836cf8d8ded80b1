//! The watchdog device: it resets this node when the agent, or the whole node, hangs while it leads.

mod device;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use device::{CARDRESET, Device, Info, Kernel, MAGICCLOSE, PRETIMEOUT, SETTIMEOUT};

#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    #[error(
        "{}: another program has it; if that is systemd, set RuntimeWatchdogSec=off in a file of /etc/systemd/system.conf.d, or give it \
         another device there by WatchdogDevice=",
        .0.display()
    )]
    Busy(PathBuf),
    #[error("{}: {doing}: {source}; a watchdog's driver has to be loaded, and the device named in the site file", .path.display())]
    Device { path: PathBuf, doing: &'static str, source: io::Error },
    #[error(
        "{} ({identity}) would fire {real} s after it was fed last; wanted is {least} to {wanted} s: take another device or another promise{running}",
        .path.display()
    )]
    Timeout { path: PathBuf, identity: String, real: u32, least: u32, wanted: u32, running: Running },
    #[error(
        "{} ({identity}) stops when the agent is killed, as it knows no magic close: load its driver with nowayout=1, or take another device",
        .0.display(), identity = .1
    )]
    StopsOnClose(PathBuf, String),
    #[error("{} ({}) cannot be stopped (nowayout): go on feeding it, or restart the machine", .0.display(), .1)]
    NoWayOut(PathBuf, String),
}

/// Whether a device that was refused runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    Stopped,
    /// It will reset this machine.
    Runs,
}

impl std::fmt::Display for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Running::Stopped => Ok(()),
            Running::Runs => f.write_str("; it cannot be stopped and will reset this machine"),
        }
    }
}

/// What became of a feeding that had to be in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    Yes,
    /// It would fire too late: left alone, so that it fires when it has to, should nobody stop before.
    No,
    /// It was fed, but this thread stood still between looking at the clock and feeding: it would now fire so many milliseconds
    /// too late. What it guards is to be stopped at once, by who still runs.
    Late {
        by: u64,
    },
}

/// An armed watchdog. Dropped, it goes on running and fires: that is what it is for. Only [`Watchdog::disarm`] stops it.
#[derive(Debug)]
pub struct Watchdog<D = Kernel> {
    device: D,
    path: PathBuf,
    identity: String,
    timeout: u32,
    no_way_out: bool,
    fired_before: bool,
}

impl Watchdog<Kernel> {
    /// Opens and so starts the device. `wanted`: it is to fire at most so long after it was fed last, and no earlier than
    /// half of it; whole seconds count.
    ///
    /// # Errors
    /// Another program has it, or it is not able to do what it is for. It is stopped then if it can be.
    pub fn open(path: &Path, wanted: Duration) -> Result<Self, WatchdogError> {
        let wanted_s = whole(wanted);
        // What is known before is looked at before: opening a device that cannot be stopped costs a reset.
        let limit = |name| {
            device::attribute(path, name)
                .and_then(|value| value.parse::<u32>().ok())
                .filter(|limit| *limit > 0)
        };
        let (low, high) = (limit("min_timeout"), limit("max_timeout"));
        let out = low.filter(|low| *low > wanted_s).or(high.filter(|high| *high < least(wanted_s)));
        if let Some(real) = out {
            let (path, wanted, running) = (path.to_owned(), wanted_s, Running::Stopped);
            let identity = device::attribute(&path, "identity").unwrap_or_default();
            return Err(WatchdogError::Timeout {
                path,
                identity,
                real,
                least: least(wanted),
                wanted,
                running,
            });
        }
        let device = Kernel::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::ResourceBusy => WatchdogError::Busy(path.to_owned()),
            _ => WatchdogError::Device { path: path.to_owned(), doing: "open", source },
        })?;
        Watchdog::over(device, path, wanted)
    }
}

impl<D: Device> Watchdog<D> {
    /// With a device that is open. `path` is for messages.
    ///
    /// # Errors
    /// As [`Watchdog::open`].
    pub fn over(mut device: D, path: &Path, wanted: Duration) -> Result<Self, WatchdogError> {
        let wanted = whole(wanted);
        match Watchdog::prepare(&mut device, path, wanted) {
            Ok((identity, timeout, no_way_out, fired_before)) => {
                Ok(Watchdog { device, path: path.to_owned(), identity, timeout, no_way_out, fired_before })
            }
            Err(mut error) => {
                let stopped = device.magic().is_ok() && device.no_way_out() != Some(true);
                if let WatchdogError::Timeout { running, .. } = &mut error {
                    *running = if stopped { Running::Stopped } else { Running::Runs };
                }
                Err(error)
            }
        }
    }

    fn prepare(device: &mut D, path: &Path, wanted: u32) -> Result<(String, u32, bool, bool), WatchdogError> {
        let failed = |doing| move |source| WatchdogError::Device { path: path.to_owned(), doing, source };
        let info = device.info().map_err(failed("WDIOC_GETSUPPORT"))?;
        let identity = info.identity();
        let no_way_out = device.no_way_out() == Some(true);
        if info.options & MAGICCLOSE == 0 && !no_way_out {
            return Err(WatchdogError::StopsOnClose(path.to_owned(), identity));
        }
        let fired_before = device.boot_status().map_err(failed("WDIOC_GETBOOTSTATUS"))? & CARDRESET != 0;
        if info.options & SETTIMEOUT != 0 && wanted > 0 {
            // EINVAL: out of its range. What it has then is looked at all the same.
            match device.set_timeout(wanted) {
                Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                    return Err(failed("WDIOC_SETTIMEOUT")(error));
                }
                _ => {}
            }
        }
        // Drivers round to what their counters can do, so it is read back.
        let real = device.timeout().map_err(failed("WDIOC_GETTIMEOUT"))?;
        let least = least(wanted);
        if real > wanted || real < least {
            let (path, running) = (path.to_owned(), Running::Runs);
            return Err(WatchdogError::Timeout { path, identity, real, least, wanted, running });
        }
        if info.options & PRETIMEOUT != 0 {
            // Before the reset it would panic or log, and what it does may keep the reset from coming.
            device.set_pretimeout(0).map_err(failed("WDIOC_SETPRETIMEOUT"))?;
        }
        device.keep_alive().map_err(failed("feeding"))?;
        Ok((identity, real, no_way_out, fired_before))
    }

    /// So long after it was fed last it fires.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout))
    }

    /// What the driver calls it.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether the last start of this machine was its doing. Many drivers never tell.
    #[must_use]
    pub fn fired_before(&self) -> bool {
        self.fired_before
    }

    #[must_use]
    pub fn is_no_way_out(&self) -> bool {
        self.no_way_out
    }

    /// # Errors
    /// The device does not take it: the node will be reset.
    pub fn feed(&mut self) -> Result<(), WatchdogError> {
        let failed = |source| WatchdogError::Device { path: self.path.clone(), doing: "feeding", source };
        self.device.keep_alive().map_err(failed)
    }

    /// The core's `Action::Feed`: feeds it if it then fires before `deadline`, should it not be fed again; without a deadline in any
    /// case. Milliseconds of the clock `now`, which is looked at again afterwards.
    ///
    /// # Errors
    /// As [`Watchdog::feed`].
    pub fn feed_until(&mut self, deadline: Option<u64>, now: impl Fn() -> u64) -> Result<Fed, WatchdogError> {
        let Some(deadline) = deadline else { return self.feed().map(|()| Fed::Yes) };
        let timeout = u64::from(self.timeout) * 1000;
        if now() + timeout >= deadline {
            return Ok(Fed::No);
        }
        self.feed()?;
        let fires = now() + timeout;
        Ok(if fires < deadline { Fed::Yes } else { Fed::Late { by: fires - deadline } })
    }

    /// Stops it, at an orderly end: only when this node does not lead, and PostgreSQL is stopped.
    ///
    /// # Errors
    /// It cannot be stopped; then it runs on, and the machine is reset.
    pub fn disarm(mut self) -> Result<(), WatchdogError> {
        if self.no_way_out {
            return Err(WatchdogError::NoWayOut(self.path, self.identity));
        }
        let path = self.path;
        self.device.magic().map_err(|source| WatchdogError::Device { path, doing: "magic close", source })
    }
}

fn whole(wanted: Duration) -> u32 {
    u32::try_from(wanted.as_secs()).unwrap_or(u32::MAX)
}

/// The shortest that is near: half, rounded up, and no less than a second.
fn least(wanted: u32) -> u32 {
    wanted.div_ceil(2).max(1)
}
