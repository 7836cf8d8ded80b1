use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use geminios_compile::GoCaches;
use geminios_fetch::Fetcher;
use geminios_model::Lock;
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use crate::args::Build as Args;
use crate::failure::Stale;
use crate::inputs;
use crate::manifest::Manifest;
use crate::pipeline::Build;
use crate::project::{Description, Project};
use crate::report::{self, Report, table};
use crate::session::Session;
use crate::terminal::megabytes;
use crate::wishes;

#[derive(Serialize)]
struct Built {
    folder: String,
    /// Nothing had changed since the last build.
    reused: bool,
    #[serde(flatten)]
    manifest: Manifest,
}

/// Builds an image.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let (project, description) = session.describe(&args.profile, args.board.as_deref())?;
    let lock = description.lock()?;
    check_fresh(&description, &lock)?;
    let out = out_folder(&project, &description, args.out.as_deref());
    fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let _alone = alone(session, &out)?;
    let digest = inputs::digest(&project, &description, &lock, !args.no_compress)?;
    let reused = inputs::unchanged(&out, &digest);
    let manifest = if reused {
        Manifest::read(&out)?
    } else {
        inputs::forget(&out);
        let store = session.store()?;
        let fetcher = if args.offline { Fetcher::offline(store.clone()) } else { session.fetcher(&store)? };
        let build = Build {
            session,
            project: &project,
            description: &description,
            lock: &lock,
            store,
            steps: session.steps()?,
            fetcher,
            go: GoCaches::of(&session.cache()?, !args.offline),
            compress: !args.no_compress,
        };
        let manifest = build.run(&out)?;
        let mut files: Vec<String> = manifest.files.values().map(|file| file.name.clone()).collect();
        files.extend([crate::manifest::NAME.to_owned(), "SHA256SUMS".to_owned()]);
        inputs::note(&out, &digest, &files)?;
        manifest
    };
    let built = Built { folder: out.display().to_string(), reused, manifest };
    report::print(&built, session.global.format)
}

/// Where a build's results are.
pub fn out_folder(project: &Project, description: &Description, given: Option<&Path>) -> PathBuf {
    given.map_or_else(
        || {
            project
                .root()
                .join("out")
                .join(format!("{}-{}", description.profile.name, description.board.name))
        },
        Path::to_owned,
    )
}

/// A lock answers to the wishes it was resolved for, and to no others.
fn check_fresh(description: &Description, lock: &Lock) -> Result<()> {
    let name = &description.profile.name;
    if lock.profile != name.as_str() {
        return Err(Stale {
            message: format!("{} is the lock of profile `{}`", description.lock_path.display(), lock.profile),
            help: format!("make one for `{name}` with `geminios lock {name}`"),
        }
        .into());
    }
    if lock.wishes != wishes::digest(description) {
        return Err(Stale {
            message: format!(
                "{} is older than what it was made for: archives, packages, what is left out or container images changed in {}, its overlays or tools.toml",
                description.lock_path.display(),
                description.profile_source.path().display()
            ),
            help: format!("bring it up to date with `geminios lock {name}`; what did not change keeps its version"),
        }
        .into());
    }
    Ok(())
}

/// One build at a time in one folder; another waits.
fn alone(session: &Session, out: &Path) -> Result<File> {
    let path = out.join(".lock");
    let context = || format!("{} cannot be locked", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(&path).with_context(context)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        session.terminal.say(&format!("waiting for another build in {}", out.display()));
        flock(&file, FlockOperation::LockExclusive).with_context(context)?;
    }
    // What a build that was cut off had begun.
    for entry in fs::read_dir(out)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(".unfinished-") {
            let path = entry.path();
            drop(if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) });
        }
    }
    Ok(file)
}

impl Report for Built {
    fn text(&self) -> String {
        let m = &self.manifest;
        let state = if self.reused { "nothing changed since the last build" } else { "built" };
        let mut rows = vec![vec!["root hash".into(), m.root_hash.to_string()]];
        for (kind, file) in &m.files {
            rows.push(vec![kind.clone(), format!("{}/{}", self.folder, file.name), megabytes(file.size)]);
        }
        for (name, part) in &m.parts {
            rows.push(vec![name.clone(), String::new(), megabytes(part.size)]);
        }
        for (name, part) in &m.images {
            rows.push(vec!["container".into(), name.clone(), megabytes(part.size)]);
        }
        let versions: Vec<String> =
            m.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        format!(
            "{} {} for {}: {state}\n{}  {}\nboot it: geminios run {}\n",
            m.profile,
            m.version,
            m.board,
            table(&rows),
            versions.join(" · "),
            m.profile
        )
    }
}
