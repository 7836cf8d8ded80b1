//! The lock: exactly which bytes an image is made of.
//!
//! Goals of the format: a person can review a change to it in a diff; two tools that write the same
//! lock write the same bytes; a reader that is too old says so instead of guessing. It is text in
//! stanzas of `Key: value` lines (the grammar of Debian control files, without continuation lines):
//! a head, then one stanza for each archive, then one for each package, sorted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::{Arch, Diagnostic, Digest, ScriptKind, Source};

/// The newest format of locks that this code reads, and the one it writes.
pub const LOCK_FORMAT: u32 = 1;

/// Exactly which packages an image and its tools are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Name of the profile it was resolved for.
    pub profile: String,
    /// Digest of all wishes that were resolved: archives, packages, packages left out.
    pub wishes: Digest,
    /// Seconds since 1970: the youngest Release file; no time stamp in the image is later.
    pub source_date_epoch: u64,
    /// State of each archive's suites when it was resolved.
    pub archives: Vec<ArchiveState>,
    /// Packages, sorted by name, architecture, version.
    pub packages: Vec<LockedPackage>,
}

/// A suite as it was when the lock was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchiveState {
    /// Name of the archive.
    pub archive: String,
    /// Suite.
    pub suite: String,
    /// `Date:` of its Release file, seconds since 1970.
    pub date: u64,
    /// Digest of its InRelease file.
    pub release: Digest,
}

/// One package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedPackage {
    /// Package name.
    pub name: String,
    /// Debian version.
    pub version: String,
    /// `all` or a Debian architecture.
    pub architecture: String,
    /// For each set that holds it (`image`, or a tool set's name), why: a package that depends on it,
    /// or `@` and the overlay, profile or tool set that asks for it.
    pub sets: BTreeMap<String, String>,
    /// Archive it comes from.
    pub archive: String,
    /// Path below the archive's mirror.
    pub filename: String,
    /// Size of the .deb in bytes.
    pub size: u64,
    /// Digest of the .deb.
    pub sha256: Digest,
    /// Source package and its version.
    pub source: (String, String),
    /// Its maintainer scripts.
    pub scripts: Vec<LockedScript>,
}

/// One maintainer script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedScript {
    /// Which.
    pub kind: ScriptKind,
    /// Digest of the whole script.
    pub sha256: Digest,
    /// Digest of its hand-written part; none when debhelper generated all that it does.
    pub written: Option<Digest>,
}

impl LockedPackage {
    /// Whether a set holds it.
    pub fn is_in(&self, set: &str) -> bool {
        self.sets.contains_key(set)
    }

    /// What the packages of a lock are sorted by.
    fn place(&self) -> (&str, &str, &str) {
        (&self.name, &self.architecture, &self.version)
    }
}

impl Lock {
    /// The packages of one set, in the lock's order.
    pub fn set<'a>(&'a self, set: &'a str) -> impl Iterator<Item = &'a LockedPackage> {
        self.packages.iter().filter(move |package| package.is_in(set))
    }

    /// Digest of the lock's text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_text())
    }

    /// The lock as text; the same lock always gives the same bytes.
    pub fn to_text(&self) -> String {
        let mut out = format!(
            "Format: {LOCK_FORMAT}\nProfile: {}\nWishes: {}\nSource-Date-Epoch: {}\n",
            self.profile, self.wishes, self.source_date_epoch
        );
        let mut archives: Vec<_> = self.archives.iter().collect();
        archives.sort();
        for a in archives {
            let _ = write!(
                out,
                "\nArchive: {}\nSuite: {}\nDate: {}\nRelease: {}\n",
                a.archive, a.suite, a.date, a.release
            );
        }
        let mut packages: Vec<_> = self.packages.iter().collect();
        packages.sort_by_key(|package| package.place());
        for p in packages {
            let sets: Vec<String> = p.sets.iter().map(|(set, why)| format!("{set}={why}")).collect();
            let _ = write!(
                out,
                "\nPackage: {}\nVersion: {}\nArchitecture: {}\nFor: {}\nSource: {} {}\nArchive: {}\nFilename: {}\nSize: {}\nSHA256: {}\n",
                p.name,
                p.version,
                p.architecture,
                sets.join(" "),
                p.source.0,
                p.source.1,
                p.archive,
                p.filename,
                p.size,
                p.sha256
            );
            let mut scripts: Vec<_> = p.scripts.iter().collect();
            scripts.sort();
            for s in scripts {
                let written = s.written.map_or_else(|| "generated".to_owned(), |d| d.to_string());
                let _ = writeln!(out, "Script: {} {} {written}", s.kind, s.sha256);
            }
        }
        out
    }

    /// Reads a lock.
    ///
    /// # Errors
    /// A newer format, and anything that [`Lock::to_text`] would not have written but for order.
    pub fn parse(source: &Source) -> Result<Self, Diagnostic> {
        let mut stanzas = stanzas(source)?.into_iter();
        let mut head = stanzas.next().ok_or_else(|| {
            source.complain(0..0, "this lock is empty").help("make it anew with `geminios lock`")
        })?;
        let format: u32 = head.take("Format")?;
        if format != LOCK_FORMAT {
            let line = source.text().find('\n').unwrap_or(0);
            return Err(source
                .complain(
                    0..line,
                    format!("this lock has format {format}; this geminios reads format {LOCK_FORMAT}"),
                )
                .help("use the geminios that wrote it, or make it anew with `geminios lock`"));
        }
        let mut lock = Lock {
            profile: head.take("Profile")?,
            wishes: head.take("Wishes")?,
            source_date_epoch: head.take("Source-Date-Epoch")?,
            archives: Vec::new(),
            packages: Vec::new(),
        };
        head.finish()?;
        let mut seen = std::collections::BTreeSet::new();
        for mut stanza in stanzas {
            if !stanza.has("Package") {
                lock.archives.push(ArchiveState {
                    archive: stanza.take("Archive")?,
                    suite: stanza.take("Suite")?,
                    date: stanza.take("Date")?,
                    release: stanza.take("Release")?,
                });
                stanza.finish()?;
                continue;
            }
            let package = package(&mut stanza)?;
            if !seen.insert((package.name.clone(), package.architecture.clone(), package.version.clone())) {
                return Err(stanza
                    .complain(&format!("{} {} stands twice in this lock", package.name, package.version)));
            }
            stanza.finish()?;
            lock.packages.push(package);
        }
        // Whoever merged two locks by hand may have left another order; what is built does not depend on it.
        lock.archives.sort();
        lock.packages.sort_by(|a, b| a.place().cmp(&b.place()));
        Ok(lock)
    }
}

fn package(stanza: &mut Stanza<'_>) -> Result<LockedPackage, Diagnostic> {
    let mut sets = BTreeMap::new();
    for word in stanza.take::<String>("For")?.split_whitespace() {
        let (set, why) = word
            .split_once('=')
            .ok_or_else(|| stanza.complain(&format!("`{word}` in For: is not SET=REASON")))?;
        sets.insert(set.to_owned(), why.to_owned());
    }
    let origin: String = stanza.take("Source")?;
    let origin =
        origin.split_once(' ').ok_or_else(|| stanza.complain("Source: needs a name and a version"))?;
    let mut package = LockedPackage {
        name: stanza.take("Package")?,
        version: stanza.take("Version")?,
        architecture: stanza.take("Architecture")?,
        sets,
        archive: stanza.take("Archive")?,
        filename: stanza.take("Filename")?,
        size: stanza.take("Size")?,
        sha256: stanza.take("SHA256")?,
        source: (origin.0.to_owned(), origin.1.to_owned()),
        scripts: Vec::new(),
    };
    if package.architecture != "all" && package.architecture.parse::<Arch>().is_err() {
        return Err(stanza.complain(&format!("unknown architecture `{}`", package.architecture)));
    }
    let climbs = package.filename.split('/').any(|part| part.is_empty() || part == "." || part == "..");
    if climbs {
        return Err(stanza.complain(&format!("`{}` is not a path below a mirror", package.filename)));
    }
    while stanza.has("Script") {
        let text: String = stanza.take("Script")?;
        let words: Vec<&str> = text.split(' ').collect();
        let bad = || stanza.complain(&format!("`{text}` is not KIND SHA256 (SHA256 | generated)"));
        let &[kind, sha256, written] = words.as_slice() else { return Err(bad()) };
        package.scripts.push(LockedScript {
            kind: ScriptKind::ALL.into_iter().find(|k| k.name() == kind).ok_or_else(bad)?,
            sha256: sha256.parse().map_err(|_| bad())?,
            written: match written {
                "generated" => None,
                digest => Some(digest.parse().map_err(|_| bad())?),
            },
        });
    }
    package.scripts.sort();
    Ok(package)
}

/// `Key: value` lines without a blank line between them, each with its byte offset.
struct Stanza<'a> {
    source: &'a Source,
    start: usize,
    end: usize,
    fields: Vec<(&'a str, &'a str, usize)>,
}

fn stanzas(source: &Source) -> Result<Vec<Stanza<'_>>, Diagnostic> {
    let mut out: Vec<Stanza<'_>> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for raw in source.text().split_inclusive('\n') {
        let line = raw.strip_suffix('\n').unwrap_or(raw);
        if line.is_empty() {
            open = false;
        } else {
            let Some((key, value)) = line.split_once(": ") else {
                return Err(source
                    .complain(at..at + line.len(), "a lock has lines of the form `Key: value`")
                    .help("locks are not edited by hand; make it anew with `geminios lock`"));
            };
            if !open {
                out.push(Stanza { source, start: at, end: at, fields: Vec::new() });
                open = true;
            }
            if let Some(stanza) = out.last_mut() {
                stanza.fields.push((key, value, at));
                stanza.end = at + line.len();
            }
        }
        at += raw.len();
    }
    Ok(out)
}

impl Stanza<'_> {
    fn has(&self, key: &str) -> bool {
        self.fields.iter().any(|(k, ..)| *k == key)
    }

    /// Takes the first field of that name out of the stanza.
    fn take<T: std::str::FromStr>(&mut self, key: &str) -> Result<T, Diagnostic> {
        let Some(index) = self.fields.iter().position(|(k, ..)| *k == key) else {
            return Err(self.complain(&format!("this stanza of the lock has no `{key}:`")));
        };
        let (_, value, at) = self.fields.remove(index);
        value.parse().map_err(|_| {
            self.source
                .complain(at..at + key.len() + 2 + value.len(), format!("`{value}` is no value for {key}:"))
                .help("locks are not edited by hand; make it anew with `geminios lock`")
        })
    }

    fn finish(&self) -> Result<(), Diagnostic> {
        match self.fields.first() {
            None => Ok(()),
            Some((key, value, at)) => Err(self
                .source
                .complain(
                    *at..at + key.len() + 2 + value.len(),
                    format!("unknown or repeated key `{key}` in the lock"),
                )
                .help("this lock may come from a newer geminios; make it anew with `geminios lock`")),
        }
    }

    fn complain(&self, message: &str) -> Diagnostic {
        self.source.complain(self.start..self.end, message)
    }
}
