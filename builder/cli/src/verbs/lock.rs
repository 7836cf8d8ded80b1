use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use geminios_fetch::{Fetcher, Want};
use geminios_model::{Digest, Lock, LockedPackage, LockedScript};
use geminios_resolve::{Changes, Preferences, ScriptInfo, Solution, assemble, diff, solve};
use serde::Serialize;

use crate::args::{Format, Lock as Args};
use crate::images;
use crate::indices::Indices;
use crate::project::{Description, write_whole};
use crate::report::{self, Report};
use crate::session::Session;
use crate::wishes::{self, IMAGE, TOOLS_ARCH, wishes};

#[derive(Serialize)]
struct Locked<'a> {
    lock: String,
    digest: Digest,
    written: bool,
    /// Nothing was to be written: the old lock says the same.
    up_to_date: bool,
    changes: &'a Changes,
}

impl Report for Locked<'_> {
    fn text(&self) -> String {
        let state = match (self.up_to_date, self.written) {
            (true, _) => "is up to date",
            (_, true) => "is written; build from it with `geminios build`",
            (false, false) if self.changes.is_empty() => {
                "would be written anew: what is asked for or the archives' dates changed (--dry-run)"
            }
            (false, false) => "is not written (--dry-run)",
        };
        format!("{}\n{} {state}\n", self.changes, self.lock)
    }
}

/// Resolves a profile and writes its lock.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let (project, description) = session.describe(&args.profile, None)?;
    let old = if description.lock_path.exists() { Some(description.lock()?) } else { None };
    let store = session.store()?;
    let fetcher = session.fetcher(&store)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let arches = {
        let mut arches = vec![description.board.architecture, TOOLS_ARCH];
        arches.dedup();
        arches
    };
    let indices = Indices::fetch(project.root(), &description, &arches, &fetcher, now, &session.terminal)?;
    let mut solutions = Vec::new();
    for wish in wishes(&description) {
        let preferences = preferences(old.as_ref(), &wish.set, args.update.as_deref())?;
        let solution = solve(&indices.index, &wish, &preferences)?;
        for name in &solution.unused_without {
            warn_unused(session, &description, &solution.set, name);
        }
        solutions.push(solution);
    }
    let scripts = scripts(session, &fetcher, old.as_ref(), &solutions)?;
    let mut lock = assemble(
        &description.profile.name,
        wishes::digest(&description),
        indices.states,
        &solutions,
        &scripts,
    )?;
    lock.images = images::lock(session, &description, &fetcher, &store, old.as_ref())?;
    let empty = Lock { packages: Vec::new(), archives: Vec::new(), images: Vec::new(), ..lock.clone() };
    let changes = diff(old.as_ref().unwrap_or(&empty), &lock);
    let up_to_date = old.as_ref() == Some(&lock);
    let write = !args.dry_run && !up_to_date;
    if write {
        write_whole(&description.lock_path, lock.to_text().as_bytes())?;
    }
    let locked = Locked {
        lock: description.lock_path.display().to_string(),
        digest: lock.digest(),
        written: write,
        up_to_date,
        changes: &changes,
    };
    if session.global.quiet && session.global.format == Format::Text {
        return Ok(());
    }
    report::print(&locked, session.global.format)
}

fn preferences(old: Option<&Lock>, set: &str, update: Option<&[String]>) -> Result<Preferences> {
    Ok(match (old, update) {
        (None, _) | (_, Some([])) => Preferences::newest(),
        (Some(lock), None) => Preferences::keep(lock, set),
        (Some(lock), Some(packages)) => Preferences::keep_but(lock, set, packages)?,
    })
}

fn warn_unused(session: &Session, description: &Description, set: &str, name: &str) {
    use geminios_model::Progress;
    let place = description
        .overlays
        .iter()
        .find(|(overlay, ..)| set == IMAGE && overlay.withouts.iter().any(|w| w.package.as_str() == name))
        .map_or_else(|| "tools.toml".to_owned(), |(_, source, _)| source.path().display().to_string());
    session.terminal.warn(&format!("{place} leaves out `{name}`, which nothing in set {set} asks for"));
}

/// The maintainer scripts of the image's packages: from the old lock where it has the same .deb, else out of the
/// .deb itself.
fn scripts(
    session: &Session,
    fetcher: &Fetcher,
    old: Option<&Lock>,
    solutions: &[Solution],
) -> Result<ScriptInfo> {
    let known: BTreeMap<Digest, &LockedPackage> =
        old.iter().flat_map(|lock| lock.set(IMAGE)).map(|package| (package.sha256, package)).collect();
    // Tools are never installed, so nobody asks what their scripts would do.
    let tools = solutions.iter().filter(|s| s.set != IMAGE).flat_map(|s| &s.packages);
    let mut scripts: ScriptInfo = tools.map(|package| (package.sha256, Vec::new())).collect();
    let mut wants = Vec::new();
    for package in solutions.iter().filter(|s| s.set == IMAGE).flat_map(|s| &s.packages) {
        match known.get(&package.sha256) {
            Some(old) => drop(scripts.insert(package.sha256, old.scripts.clone())),
            None => wants.push(Want::from(package)),
        }
    }
    let blobs = fetcher.blobs(&wants, session.jobs().max(4), &session.terminal)?;
    for blob in &blobs {
        let control = geminios_unpack::control(blob)?;
        let list = control.scripts.iter().map(|(kind, text)| LockedScript {
            kind: *kind,
            sha256: Digest::of(text),
            written: geminios_unpack::written_part(text).map(Digest::of),
        });
        scripts.insert(blob.digest, list.collect());
    }
    Ok(scripts)
}
