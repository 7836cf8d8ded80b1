//! The lock: exactly which bytes an image is made of.
//!
//! Goals of the format: a person can review a change to it in a diff; two tools that write the same
//! lock write the same bytes; a reader that is too old says so instead of guessing. It is text in
//! stanzas of `Key: value` lines (the grammar of Debian control files, without continuation lines):
//! a head, then one stanza for each archive, then one for each package, then one for each container image, sorted.
//!
//! Format 2 is format 1 with container images. A lock without them is written in format 1, so that it stays as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::stanza::{Stanza, stanzas};
use crate::{Arch, Diagnostic, Digest, LockedImage, ScriptKind, Source};

/// The newest format of locks that this code reads.
pub const LOCK_FORMAT: u32 = 2;
/// The format of a lock without container images.
const WITHOUT_IMAGES: u32 = 1;

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
    /// Container images, sorted by name.
    pub images: Vec<LockedImage>,
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
        let format = if self.images.is_empty() { WITHOUT_IMAGES } else { LOCK_FORMAT };
        let mut out = format!(
            "Format: {format}\nProfile: {}\nWishes: {}\nSource-Date-Epoch: {}\n",
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
        let mut images: Vec<_> = self.images.iter().collect();
        images.sort_by_key(|image| &image.reference);
        for image in images {
            let _ = write!(out, "\n{}", image.to_text());
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
        if !(WITHOUT_IMAGES..=LOCK_FORMAT).contains(&format) {
            let line = source.text().find('\n').unwrap_or(0);
            return Err(source
                .complain(
                    0..line,
                    format!("this lock has format {format}; this geminios reads formats {WITHOUT_IMAGES} to {LOCK_FORMAT}"),
                )
                .help("use the geminios that wrote it, or make it anew with `geminios lock`"));
        }
        let mut lock = Lock {
            profile: head.take("Profile")?,
            wishes: head.take("Wishes")?,
            source_date_epoch: head.take("Source-Date-Epoch")?,
            archives: Vec::new(),
            packages: Vec::new(),
            images: Vec::new(),
        };
        head.finish()?;
        let mut seen = BTreeSet::new();
        for mut stanza in stanzas {
            if stanza.has("Image") && format > WITHOUT_IMAGES {
                let image = LockedImage::parse(&mut stanza)?;
                if lock.images.iter().any(|other| other.reference == image.reference) {
                    return Err(stanza.complain(&format!("{} stands twice in this lock", image.reference)));
                }
                stanza.finish()?;
                lock.images.push(image);
                continue;
            }
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
        lock.images.sort_by(|a, b| a.reference.cmp(&b.reference));
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
