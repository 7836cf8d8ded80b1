//! The order of a build: each room's door, once. Nothing is decided here but what runs beside what.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use geminios_boot::initrd;
use geminios_compile::GoCaches;
use geminios_compose::{Composed, Inputs, OverlaySource, compose};
use geminios_fetch::{Blob, Fetcher, Steps, Store, Want};
use geminios_model::{Digest, Lock, LockedPackage, Progress, Unit};
use geminios_seal::seal;
use geminios_unpack::{Package, ToolSet, unpack};
use rayon::prelude::*;

use crate::manifest::Manifest;
use crate::project::{Description, Project};
use crate::session::Session;
use crate::terminal::megabytes;
use crate::wishes::{IMAGE, TOOLS_ARCH};

/// One build.
pub struct Build<'a> {
    pub session: &'a Session,
    pub project: &'a Project,
    pub description: &'a Description,
    pub lock: &'a Lock,
    pub store: Store,
    pub steps: Steps,
    pub fetcher: Fetcher,
    pub go: GoCaches,
    pub compress: bool,
}

impl Build<'_> {
    /// Builds into `out`; gives the manifest.
    pub fn run(&self, out: &Path) -> Result<Manifest> {
        let progress = &self.session.terminal;
        let blobs = self.fetch()?;
        let (tools, rest) = rayon::join(
            || self.tools("build", &blobs),
            || rayon::join(|| self.packages(&blobs), || self.programs(&blobs)),
        );
        let (tools, packages, programs) = (tools?, rest.0?, rest.1?);
        let images = self.images(&blobs, &programs)?;
        let overlays = self.overlays()?;
        let inputs = Inputs {
            profile: &self.description.profile,
            board: &self.description.board,
            board_source: &self.description.board_source,
            lock: self.lock,
            overlays: &overlays,
            packages: &packages,
            programs: &programs,
            images: &images,
            scripts: &self.description.scripts,
            scripts_source: &self.description.scripts_source,
            root_of_trust: self.description.root_of_trust.as_deref(),
        };
        let data = geminios_compose::data(&overlays)?;
        let composed = compose(&inputs, &tools, &self.steps, progress)?;
        let installed = composed.installed.totals();
        self.check_budget(&composed).inspect_err(|_| self.tell_growth(out, &installed))?;
        let (sealed, initrd) = rayon::join(
            || seal(&composed.root, &tools, &self.steps, self.lock.source_date_epoch, progress),
            || self.initrd(&composed),
        );
        let (sealed, initrd) = (sealed?, initrd?);
        let fits = sealed.check_room(
            &self.description.profile,
            &self.description.profile_source,
            &composed.installed,
        );
        fits.inspect_err(|_| self.tell_growth(out, &installed))?;
        let boot = self.boot(&composed, &sealed, initrd)?;
        self.write(out, &composed, &sealed, &boot, (&images, data))
    }

    /// Everything the build reads from archives and registries, in one go. Tools that are unpacked already are not asked for.
    fn fetch(&self) -> Result<Blobs> {
        let mut sets = vec![IMAGE];
        for set in ["build", "rust", "go"] {
            let wanted = set != "go" || self.needs_go();
            if wanted && ToolSet::unpacked(&self.steps, TOOLS_ARCH, self.lock.set(set))?.is_none() {
                sets.push(set);
            }
        }
        let wanted = self.lock.packages.iter().filter(|p| sets.iter().any(|set| p.is_in(set)));
        let mut wants: Vec<Want> = wanted.map(Want::from).collect();
        wants.extend(self.image_wants()?);
        let blobs = self.fetcher.blobs(&wants, DOWNLOADS, &self.session.terminal)?;
        Ok(blobs.into_iter().map(|blob| (blob.digest, blob)).collect())
    }

    pub(crate) fn tools(&self, set: &str, blobs: &Blobs) -> Result<ToolSet> {
        if let Some(tools) = ToolSet::unpacked(&self.steps, TOOLS_ARCH, self.lock.set(set))? {
            return Ok(tools);
        }
        let packages = self
            .lock
            .set(set)
            .map(|package| Ok((package.clone(), blob(blobs, package)?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(ToolSet::open(&self.store, &self.steps, set, TOOLS_ARCH, &packages, &self.session.terminal)?)
    }

    /// The device's packages, unpacked.
    fn packages(&self, blobs: &Blobs) -> Result<Vec<(LockedPackage, Package)>> {
        let progress = &self.session.terminal;
        let mut locked: Vec<&LockedPackage> = self.lock.set(IMAGE).collect();
        // The largest first, or the kernel's package is what one processor does while the others are done.
        locked.sort_by_key(|package| Reverse(package.size));
        progress.begin("unpack", locked.len() as u64, Unit::Items);
        let unpacked = locked
            .into_iter()
            .par_bridge()
            .map(|package| {
                let unpacked = unpack(&self.store, &self.steps, &blob(blobs, package)?)
                    .with_context(|| format!("{} {}", package.name, package.version))?;
                progress.advance("unpack", 1);
                Ok((package.clone(), unpacked))
            })
            .collect::<Result<Vec<_>>>()?;
        let bytes = unpacked.iter().map(|(_, package)| package.data.size).sum();
        progress.end("unpack", &format!("{} packages, {}", unpacked.len(), megabytes(bytes)));
        Ok(unpacked)
    }

    fn overlays(&self) -> Result<Vec<OverlaySource>> {
        let load = |(overlay, source, dir): &(
            geminios_model::Overlay,
            geminios_model::Source,
            std::path::PathBuf,
        )| { Ok(OverlaySource::load(overlay.clone(), source.clone(), dir)?) };
        self.description.overlays.iter().map(load).collect()
    }

    /// Whoever hears that there is no room asks first what took it.
    fn tell_growth(&self, out: &Path, installed: &BTreeMap<String, u64>) {
        let growth = Manifest::read(out).map(|last| last.growth_to(installed)).unwrap_or_default();
        if !growth.is_empty() {
            self.session.terminal.say(growth.trim_end());
        }
    }

    fn check_budget(&self, composed: &Composed) -> Result<()> {
        let over = composed.installed.over(&self.description.profile.budget);
        if over.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = over
            .iter()
            .map(|o| {
                format!(
                    "overlay `{}` installs {}, its budget is {}",
                    o.overlay,
                    megabytes(o.installed),
                    megabytes(o.limit)
                )
            })
            .collect();
        bail!(
            "{}\nInstalled:\n{}  help: take packages out, prune more, or raise the budget in {}",
            lines.join("\n"),
            composed.installed.table(),
            self.description.profile_source.path().display()
        )
    }

    fn initrd(&self, composed: &Composed) -> Result<Vec<u8>> {
        let key = Digest::of_parts([b"1".as_slice(), composed.initrd.digest().bytes()]);
        let dir = self.steps.put("initrd", &key, |dir| -> Result<()> {
            Ok(std::fs::write(dir.join("initrd"), initrd(&composed.initrd)?)?)
        })?;
        Ok(std::fs::read(dir.join("initrd"))?)
    }
}

/// Verified packages, and blobs of container images, by digest.
pub(crate) type Blobs = BTreeMap<Digest, Blob>;

fn blob(blobs: &Blobs, package: &LockedPackage) -> Result<Blob> {
    blobs.get(&package.sha256).cloned().with_context(|| format!("{} was not fetched", package.filename))
}

/// Downloads at once: a mirror is mostly waited for.
const DOWNLOADS: usize = 8;

/// A tool set of a lock, fetched and unpacked if it is not yet.
pub fn toolset(session: &Session, lock: &Lock, set: &str) -> Result<ToolSet> {
    let (store, steps) = (session.store()?, session.steps()?);
    if let Some(tools) = ToolSet::unpacked(&steps, TOOLS_ARCH, lock.set(set))? {
        return Ok(tools);
    }
    let packages: Vec<LockedPackage> = lock.set(set).cloned().collect();
    let wants: Vec<Want> = packages.iter().map(Want::from).collect();
    let blobs = session.fetcher(&store)?.blobs(&wants, DOWNLOADS, &session.terminal)?;
    let packages: Vec<_> = packages.into_iter().zip(blobs).collect();
    Ok(ToolSet::open(&store, &steps, set, TOOLS_ARCH, &packages, &session.terminal)?)
}
