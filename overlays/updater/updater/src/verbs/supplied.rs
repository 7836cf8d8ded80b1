//! `check` and `install` on this machine: holds it, reads its settings, and restarts it at the end if that was wanted.

use std::io;
use std::path::Path;
use std::str::FromStr as _;

use semver::Version;

use crate::args;
use crate::config::{Config, DEVICE_FILE, IMAGE_FILE};
use crate::image::ROOT_OF_TRUST;
use crate::machine::{Access, Host, Machine};
use crate::snapshot;
use crate::supply::{Limits, Place, ReadAt, Tell, UsbSticks};
use crate::verbs::install::Options;
use crate::verbs::restart::restart;
use crate::verbs::session::{Session, Wanted};
use crate::verbs::{Failure, PATIENCE};

pub(super) fn check(host: &Host, asked: &args::Check, tell: &Tell) -> Result<u8, Failure> {
    let wanted = wanted(asked.from.as_deref(), asked.version.as_deref())?;
    let wanted = Wanted { allow_older: asked.allow_older, ..wanted };
    with_session(host, "check", Access::Look, tell, |session| Ok(super::check::check(session, &wanted)?))
}

pub(super) fn install(host: &Host, asked: &args::Install, tell: &Tell) -> Result<u8, Failure> {
    let wanted = wanted(asked.from.as_deref(), asked.version.as_deref())?;
    let wanted = Wanted { allow_older: asked.allow_older, automatic: asked.automatic, ..wanted };
    let options = Options { wanted, force: asked.force, restart: asked.restart };
    let done = with_session(host, "install", Access::Change, tell, |session| {
        let data = session.image.data;
        let mut take = |version: &str| snapshot::take(host, data, version, !asked.force, tell);
        Ok(super::install::install(session, &options, &mut take)?)
    })?;
    if done.restart {
        restart(host, tell);
    }
    Ok(done.status)
}

fn wanted(from: Option<&str>, version: Option<&str>) -> Result<Wanted, Failure> {
    let wrong = |problem: String| Failure::Other(problem.into());
    let from = from.map(Place::from_str).transpose().map_err(|error| wrong(format!("--from: {error}")))?;
    let version = version.map(|text| {
        Version::parse(text).map_err(|error| {
            wrong(format!("--version {text}: {error}\n  help: versions are like 1.2.3 or 1.2.3-rc1"))
        })
    });
    Ok(Wanted { from, version: version.transpose()?, ..Wanted::default() })
}

fn with_session<T>(
    host: &Host,
    verb: &str,
    access: Access,
    tell: &Tell,
    work: impl FnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut machine = Machine::open(host, verb, access, PATIENCE)?;
    let paths = &host.paths;
    let (of_image, of_device) = (paths.at(IMAGE_FILE), paths.at(DEVICE_FILE));
    let files: [&Path; 2] = [&of_image, &of_device];
    let config =
        Config::read(machine.image.update.as_ref(), files).map_err(|error| Failure::Other(error.into()))?;
    let (disk, kernel) =
        (machine.disk_reader(), machine.kernel_reader().map_err(|e| Failure::Other(e.into()))?);
    let disk = || -> io::Result<Box<dyn ReadAt>> { Ok(Box::new(disk()?)) };
    let kernel = |name: &str| -> io::Result<Box<dyn ReadAt>> { Ok(Box::new(kernel(name)?)) };
    let mut session = Session {
        image: &machine.image,
        config: &config,
        folder: paths.state(),
        root_of_trust: paths.at(ROOT_OF_TRUST),
        now: host.clock.now(),
        device: &mut machine.device,
        backend: &*machine.backend,
        running: machine.running,
        disk: &disk,
        kernel: &kernel,
        sticks: &UsbSticks { root: paths.at("/") },
        limits: Limits::default(),
        tell: tell.clone(),
    };
    work(&mut session)
}
