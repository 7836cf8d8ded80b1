use std::path::Path;

use anyhow::{Context, Result};
use geminios_release::encode::Levels;
use geminios_release::keys::{FIRST_ROOT, Keys};
use geminios_release::{Build, DataContract, Digest, Lifetimes, Part, Published, Repository, Request};
use serde::Serialize;

use crate::args::release::Publish as Args;
use crate::image::Image;
use crate::manifest::Manifest;
use crate::report::{self, Report, table};
use crate::session::{Session, now};
use crate::terminal::megabytes;

/// Lowest level of the updater that can install what this command writes.
const UPDATER: u64 = 1;

/// Adds a release to a repository.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let keys = Keys::open(&args.keys)?;
    let lifetimes = Lifetimes::default();
    let Some(folder) = &args.build else {
        let version = Repository::open(&args.repo)?.refresh(&keys, now()?, &lifetimes)?;
        session.terminal.say(&format!("{}: timestamp {version} is signed", args.repo.display()));
        return Ok(());
    };
    let build = build(folder, args)?;
    let repository = open(&args.repo, &args.keys)?;
    let levels = Levels { whole: args.level, delta: args.level, chunks: args.level };
    let mut done = None;
    for channel in &args.channel {
        let (deltas, now) = (args.deltas, now()?);
        let request = Request { build: &build, channel, deltas, levels, now, lifetimes, keys: &keys };
        let published = repository.publish(&request, &session.terminal)?;
        session.terminal.say(&match published.timestamp {
            Some(_) => format!("{} is released to channel `{channel}`", published.release),
            None => format!("{} was in channel `{channel}` already: nothing changed", published.release),
        });
        done = Some(published);
    }
    let published = done.context("no channel was given")?;
    report::print(&Offered::of(&published), session.global.format)
}

/// The repository, begun with the first root of the keys' folder if it is not there.
fn open(repo: &Path, keys: &Path) -> Result<Repository> {
    let root = keys.join(FIRST_ROOT);
    if !repo.join("metadata").exists() && root.exists() {
        let bytes = std::fs::read(&root).with_context(|| format!("{} cannot be read", root.display()))?;
        return Ok(Repository::create(repo, &bytes)?);
    }
    Ok(Repository::open(repo)?)
}

/// What a build's folder has, checked against its manifest when it is packed.
fn build(folder: &Path, args: &Args) -> Result<Build> {
    let manifest = Manifest::read(folder)?;
    let image = Image::open(folder)?;
    let digest = |digest: &geminios_model::Digest| Digest(*digest.bytes());
    let (root, tree) = image.slot()?;
    let part = |name: &str, offset: u64| {
        let part = manifest.parts.get(name).with_context(|| format!("the manifest has no part `{name}`"))?;
        Ok::<_, anyhow::Error>(Part {
            path: image.path.clone(),
            offset,
            size: part.size,
            sha256: digest(&part.sha256),
        })
    };
    let version = manifest.version.replacen('~', "-", 1);
    let version = version.parse().with_context(|| {
        format!(
            "version `{}` of the build cannot be released\n  help: give the profile a version of three numbers, such as 1.4.0 or 1.4.0~rc1",
            manifest.version
        )
    })?;
    let data = |name: &str| manifest.data.get(name).copied().unwrap_or(0);
    let uki = manifest.files.get("uki").context("this build has no kernel image")?;
    Ok(Build {
        version,
        profile: manifest.profile.clone(),
        board: manifest.board.clone(),
        arch: manifest.architecture.debian().to_owned(),
        root_hash: digest(&manifest.root_hash),
        built: manifest.source_date_epoch,
        updater: UPDATER,
        data: DataContract {
            postgresql: data("postgresql"),
            postgresql_converts: args.converts.clone(),
            kine_schema: data("kine_schema"),
            kubernetes_minor: data("kubernetes_minor"),
            from: args.from.clone(),
        },
        root: part("root", root.start)?,
        verity: part("root-verity", tree.start)?,
        uki: Part {
            path: manifest.path(folder, "uki")?,
            offset: 0,
            size: uki.size,
            sha256: digest(&uki.sha256),
        },
        sbom: manifest.path(folder, "sbom").ok(),
        notes: args.notes.clone(),
    })
}

#[derive(Serialize)]
struct Offered {
    release: String,
    /// Bytes that a device fetches, by the version that it starts from; from nothing without one.
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    from: Option<String>,
    whole: u64,
    delta: Option<u64>,
    chunks: u64,
    best: u64,
}

impl Offered {
    fn of(published: &Published) -> Self {
        let row = |row: &geminios_release::Row| Row {
            from: row.from.as_ref().map(ToString::to_string),
            whole: row.whole,
            delta: row.delta,
            chunks: row.chunks,
            best: row.best,
        };
        let rows = published.table.rows.iter().map(row).collect();
        Offered { release: published.release.clone(), rows }
    }
}

impl Report for Offered {
    fn text(&self) -> String {
        let head = ["a device with", "whole", "delta", "chunks", "fetches"].map(str::to_owned).to_vec();
        let row = |row: &Row| {
            vec![
                row.from.clone().unwrap_or_else(|| "nothing".to_owned()),
                megabytes(row.whole),
                row.delta.map_or_else(|| "-".to_owned(), megabytes),
                megabytes(row.chunks),
                megabytes(row.best),
            ]
        };
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(self.rows.iter().map(row)).collect();
        table(&rows)
    }
}
