mod build;

use anyhow::{Context, Result, bail};
use geminios_model::Progress as _;
use geminios_release::encode::Levels;
use geminios_release::keys::{FIRST_ROOT, Keys};
use geminios_release::{Build, Lifetimes, Published, Repository, Request, time};
use serde::Serialize;

use crate::args::release::Publish as Args;
use crate::report::{self, Report, table};
use crate::session::Session;
use crate::terminal::megabytes;

/// Adds a release to a repository, or signs its timestamp anew.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    let keys = keys(args)?;
    match &args.build {
        None => refresh(session, args, &keys),
        Some(folder) => publish(session, args, &keys, &build::read(folder, args)?),
    }
}

/// All keys at hand.
fn keys(args: &Args) -> Result<Keys> {
    args.keys.iter().try_fold(Keys::default(), |keys, folder| Ok(keys.and(Keys::open(folder)?)))
}

fn refresh(session: &Session, args: &Args, keys: &Keys) -> Result<()> {
    let repository = Repository::open(&args.repo)?;
    let refreshed = repository.refresh(keys, args.clock.now()?, &Lifetimes::default())?;
    for (role, expires) in &refreshed.left {
        session.terminal.warn(&format!(
            "{} expires on {}, before the timestamp, and its keys are not here\n  help: run this once with them",
            role.as_str(),
            time::format(*expires)
        ));
    }
    let signed: Vec<&str> = refreshed.signed.iter().map(|role| role.as_str()).collect();
    let resigned = Resigned {
        repository: args.repo.display().to_string(),
        timestamp: refreshed.timestamp,
        expires: time::format(refreshed.expires),
        signed,
    };
    report::print(&resigned, session.global.format)
}

fn publish(session: &Session, args: &Args, keys: &Keys, build: &Build) -> Result<()> {
    let repository = open(args)?;
    if !args.older {
        refuse_older(&repository, args, build)?;
    }
    let (now, lifetimes) = (args.clock.now()?, Lifetimes::default());
    let levels = Levels::all(args.level);
    let mut done = None;
    for channel in &args.channel {
        let deltas = args.deltas;
        let request = Request { build, channel, deltas, levels, now, lifetimes, keys };
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
fn open(args: &Args) -> Result<Repository> {
    let repo = &args.repo;
    let root = args.keys.iter().map(|folder| folder.join(FIRST_ROOT)).find(|root| root.exists());
    match root {
        Some(root) if !repo.join("metadata").exists() => {
            let bytes = std::fs::read(&root).with_context(|| format!("{} cannot be read", root.display()))?;
            Ok(Repository::create(repo, &bytes)?)
        }
        _ => Ok(Repository::open(repo)?),
    }
}

/// A device takes the newest of its channel: one that is older reaches nobody, and mostly was not meant.
fn refuse_older(repository: &Repository, args: &Args, build: &Build) -> Result<()> {
    let held = repository.held()?;
    let same = held.iter().filter(|held| held.profile == build.profile && held.board == build.board);
    for held in same.filter(|held| held.version > build.version) {
        if let Some(channel) = args.channel.iter().find(|channel| held.channels.contains(channel)) {
            bail!(
                "{} is older than {}, which channel `{channel}` has: devices would not take it\n  help: give the profile a newer version, and build again; or say --older, for devices that are told its number",
                build.version,
                held.version
            );
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Resigned {
    repository: String,
    /// Version of the timestamp.
    timestamp: u64,
    expires: String,
    signed: Vec<&'static str>,
}

impl Report for Resigned {
    fn text(&self) -> String {
        format!(
            "{}: timestamp {} is valid until {}; signed anew: {}\n",
            self.repository,
            self.timestamp,
            self.expires,
            self.signed.join(", ")
        )
    }
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
