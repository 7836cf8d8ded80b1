//! The order of a build: each room's door, once. Nothing is decided here but what runs beside what.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use geminios_boot::{EspFile, Uki, initrd, write_esp};
use geminios_compile::{HostCargo, Job, compile};
use geminios_compose::{BuiltProgram, Composed, Inputs, OverlaySource, compose};
use geminios_disk::{Output, Outputs, Plan, write, write_sums};
use geminios_fetch::{Blob, Fetcher, Steps, Store, Want};
use geminios_model::{Digest, Lock, LockedPackage, Progress, Unit};
use geminios_seal::{Sealed, seal};
use geminios_unpack::{Package, ToolSet, unpack};
use rayon::prelude::*;

use crate::manifest::{self, File, Manifest, Part};
use crate::project::{Description, Project};
use crate::sbom;
use crate::session::Session;
use crate::terminal::megabytes;
use crate::wishes::{IMAGE, TOOLS_ARCH};

/// The packages whose versions users ask for first.
const SHOWN: [&str; 5] = ["containerd", "openssh-server", "postgresql-17", "runc", "systemd"];

/// One build.
pub struct Build<'a> {
    pub session: &'a Session,
    pub project: &'a Project,
    pub description: &'a Description,
    pub lock: &'a Lock,
    pub store: Store,
    pub steps: Steps,
    pub fetcher: Fetcher,
    pub compress: bool,
}

/// What a kernel image is made of, and the image.
struct Boot {
    initrd: Vec<u8>,
    uki: Vec<u8>,
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
        let overlays = self.overlays()?;
        let inputs = Inputs {
            profile: &self.description.profile,
            board: &self.description.board,
            board_source: &self.description.board_source,
            lock: self.lock,
            overlays: &overlays,
            packages: &packages,
            programs: &programs,
            scripts: &self.description.scripts,
            scripts_source: &self.description.scripts_source,
        };
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
        self.write(out, &composed, &sealed, &boot)
    }

    /// Everything the build reads from archives, in one go. Tools that are unpacked already are not asked for.
    fn fetch(&self) -> Result<Blobs> {
        let mut sets = vec![IMAGE];
        for set in ["build", "rust"] {
            if ToolSet::unpacked(&self.steps, TOOLS_ARCH, self.lock.set(set))?.is_none() {
                sets.push(set);
            }
        }
        let wanted = self.lock.packages.iter().filter(|p| sets.iter().any(|set| p.is_in(set)));
        let wants: Vec<Want> = wanted.map(Want::from).collect();
        let blobs = self.fetcher.blobs(&wants, DOWNLOADS, &self.session.terminal)?;
        Ok(blobs.into_iter().map(|blob| (blob.digest, blob)).collect())
    }

    fn tools(&self, set: &str, blobs: &Blobs) -> Result<ToolSet> {
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
        let locked: Vec<&LockedPackage> = self.lock.set(IMAGE).collect();
        progress.begin("unpack", locked.len() as u64, Unit::Items);
        let unpacked = locked
            .into_par_iter()
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

    /// The programs of the overlays, compiled.
    fn programs(&self, blobs: &Blobs) -> Result<Vec<BuiltProgram>> {
        let mut built = Vec::new();
        let workspace = std::path::absolute(self.project.root().join("."))?;
        let mut tools = None;
        for (overlay, _, dir) in &self.description.overlays {
            for program in &overlay.programs {
                let tools = match &mut tools {
                    Some(tools) => tools,
                    none => none.insert(self.tools("rust", blobs)?),
                };
                let package = std::path::absolute(dir.join(program.source.as_str()))?;
                let job = Job {
                    workspace: &workspace,
                    package: &package,
                    binary: &program.binary,
                    target: self.description.board.architecture,
                };
                let host = HostCargo::of_environment();
                let compiled = compile(&job, tools, &host, &self.store, &self.steps, &self.session.terminal)?;
                built.push(BuiltProgram::in_file(
                    &overlay.name,
                    program,
                    &compiled.path,
                    compiled.size,
                    compiled.digest,
                ));
            }
        }
        Ok(built)
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

    fn boot(&self, composed: &Composed, sealed: &Sealed, initrd: Vec<u8>) -> Result<Boot> {
        let board = &self.description.board;
        let mut words = vec![format!("roothash={}", sealed.root_hash)];
        words.extend(board.consoles.iter().map(|console| format!("console={console}")));
        words.extend(board.cmdline.iter().cloned());
        let kernel = &composed.kernel;
        let uki = Uki {
            stub: &kernel.stub.read()?,
            kernel: &kernel.image.read()?,
            initrd: &initrd,
            cmdline: &words.join(" "),
            os_release: &composed.os_release,
            uname: &kernel.version,
        }
        .build()?;
        if let Some(limit) = &self.description.profile.budget.uki
            && uki.len() as u64 > **limit * 1_000_000
        {
            let parts = [
                ("kernel", kernel.image.len()),
                ("initrd", initrd.len() as u64),
                ("stub", kernel.stub.len()),
            ];
            let rows: String =
                parts.iter().map(|(name, size)| format!("  {name}: {}\n", megabytes(*size))).collect();
            return Err(self
                .description
                .profile_source
                .complain(
                    limit.span(),
                    format!(
                        "the unified kernel image has {}, its budget is {limit} MB",
                        megabytes(uki.len() as u64)
                    ),
                )
                .help(format!("take modules out of the initrd, or raise the budget; it is made of\n{rows}"))
                .into());
        }
        Ok(Boot { initrd, uki })
    }

    fn write(&self, out: &Path, composed: &Composed, sealed: &Sealed, boot: &Boot) -> Result<Manifest> {
        let Description { profile, board, .. } = self.description;
        let scratch = tempfile::Builder::new().prefix(".unfinished-").tempdir_in(out)?;
        let esp = scratch.path().join("esp.fat");
        let files = EspFile::for_uefi(
            board.architecture,
            &profile.version,
            boot.uki.clone(),
            &composed.kernel.loader.read()?,
        );
        let serial = u32::from_le_bytes(std::array::from_fn(|i| sealed.root_hash.bytes()[i]));
        write_esp(&files, *profile.sizes.esp << 20, serial, self.lock.source_date_epoch, &esp)?;
        let plan = Plan::new(&profile.name, board.architecture, &profile.sizes, sealed, &esp)?;
        let stem = format!("geminios-{}-{}-{}", profile.name, profile.version, board.name);
        let Outputs { image, bmap, compressed } =
            write(&plan, out, &format!("{stem}.img"), self.compress, &self.session.terminal)?;
        let uki = small(out, &format!("{stem}.efi"), &boot.uki)?;
        let bill = serde_json::to_vec_pretty(&sbom::cyclonedx(profile, self.lock))?;
        let sbom = small(out, &format!("{stem}.cdx.json"), &bill)?;
        let mut outputs: BTreeMap<&str, &Output> =
            BTreeMap::from([("image", &image), ("bmap", &bmap), ("uki", &uki), ("sbom", &sbom)]);
        if let Some(compressed) = &compressed {
            outputs.insert("compressed", compressed);
        }
        let manifest = self.manifest(composed, sealed, boot, &outputs)?;
        let manifest_file = small(out, manifest::NAME, &(serde_json::to_vec_pretty(&manifest)?))?;
        write_sums(out, outputs.values().copied().chain([&manifest_file]))?;
        Ok(manifest)
    }

    fn manifest(
        &self,
        composed: &Composed,
        sealed: &Sealed,
        boot: &Boot,
        outputs: &BTreeMap<&str, &Output>,
    ) -> Result<Manifest> {
        let digest_of =
            |path: &Path| Ok::<_, anyhow::Error>(Digest::of_reader(std::fs::File::open(path)?)?.0);
        let bytes = |bytes: &[u8]| Part { size: bytes.len() as u64, sha256: Digest::of(bytes) };
        let (erofs, verity) = rayon::join(|| digest_of(&sealed.erofs), || digest_of(&sealed.verity));
        let versions = self.lock.set(IMAGE).filter(|p| SHOWN.contains(&p.name.as_str()));
        let mut versions: BTreeMap<String, String> =
            versions.map(|p| (p.name.clone(), p.version.clone())).collect();
        versions.insert("linux".into(), composed.kernel.version.clone());
        let profile = &self.description.profile;
        Ok(Manifest {
            format: manifest::FORMAT,
            profile: profile.name.to_string(),
            version: profile.version.to_string(),
            board: self.description.board.name.to_string(),
            architecture: self.description.board.architecture,
            lock_digest: self.lock.digest(),
            root_hash: sealed.root_hash,
            source_date_epoch: self.lock.source_date_epoch,
            versions,
            parts: BTreeMap::from([
                ("root".to_owned(), Part { size: sealed.erofs_size, sha256: erofs? }),
                ("root-verity".to_owned(), Part { size: sealed.verity_size, sha256: verity? }),
                ("initrd".to_owned(), bytes(&boot.initrd)),
                ("uki".to_owned(), bytes(&boot.uki)),
            ]),
            files: outputs
                .iter()
                .map(|(kind, output)| {
                    let name = output.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    ((*kind).to_owned(), File { name, size: output.size, sha256: output.sha256 })
                })
                .collect(),
            installed: composed.installed.totals(),
        })
    }
}

/// Verified packages by digest.
type Blobs = BTreeMap<Digest, Blob>;

fn blob(blobs: &Blobs, package: &LockedPackage) -> Result<Blob> {
    blobs.get(&package.sha256).cloned().with_context(|| format!("{} was not fetched", package.filename))
}

/// Downloads at once: a mirror is mostly waited for.
const DOWNLOADS: usize = 8;

/// A small result, whole or not at all.
fn small(out: &Path, name: &str, bytes: &[u8]) -> Result<Output> {
    let path = out.join(name);
    crate::project::write_whole(&path, bytes)?;
    Ok(Output { path, size: bytes.len() as u64, sha256: Digest::of(bytes) })
}

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
