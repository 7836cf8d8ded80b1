use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use debversion::Version;
use geminios_model::{Digest, ImageName, Lock, LockedImage, LockedPackage};
use serde::Serialize;

use crate::relation::parse_version;

/// What a new lock changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Changed packages of each set that has any, by name.
    pub sets: BTreeMap<String, Vec<Change>>,
    /// Changed container images, by name; their digests stand for versions.
    pub images: Vec<Change>,
    /// Bytes of all files that the old lock does not have.
    pub download: u64,
    /// Bytes of all files of the new lock, less those of the old one.
    pub size_delta: i64,
}

/// One package of one set, or one container image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub kind: ChangeKind,
    pub package: String,
    pub old: Option<String>,
    pub new: Option<String>,
    /// Who asks for it, in the new lock.
    pub reason: Option<String>,
    /// Bytes of the new .deb less those of the old one.
    pub size_delta: i64,
}

/// What happens to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    Added,
    Removed,
    Upgraded,
    Downgraded,
    /// The same version with other bytes.
    Replaced,
}

/// Compares two locks.
pub fn diff(old: &Lock, new: &Lock) -> Changes {
    let sets: BTreeSet<&String> =
        [old, new].iter().flat_map(|l| &l.packages).flat_map(|p| p.sets.keys()).collect();
    let mut changes = Changes::default();
    for set in sets {
        let changed = diff_set(old, new, set);
        if !changed.is_empty() {
            changes.sets.insert(set.clone(), changed);
        }
    }
    changes.images = diff_images(old, new);
    let (had, has) = (blobs(old), blobs(new));
    changes.download =
        has.iter().filter(|(digest, _)| !had.contains_key(*digest)).map(|(_, size)| size).sum();
    changes.size_delta = delta(has.values().sum(), had.values().sum());
    changes
}

fn blobs(lock: &Lock) -> BTreeMap<Digest, u64> {
    let packages = lock.packages.iter().map(|p| (p.sha256, p.size));
    let images = lock.images.iter().flat_map(|image| &image.blobs).map(|blob| (blob.sha256, blob.size));
    packages.chain(images).collect()
}

fn delta(new: u64, old: u64) -> i64 {
    i64::try_from(i128::from(new) - i128::from(old)).unwrap_or(i64::MAX)
}

fn diff_set(old: &Lock, new: &Lock, set: &str) -> Vec<Change> {
    let of = |lock: &'_ Lock| -> BTreeMap<String, LockedPackage> {
        lock.set(set).map(|p| (p.name.clone(), p.clone())).collect()
    };
    let (had, has) = (of(old), of(new));
    let names: BTreeSet<&String> = had.keys().chain(has.keys()).collect();
    let mut changes: Vec<Change> = Vec::new();
    for name in names {
        let (a, b) = (had.get(name), has.get(name));
        let kind = match (a, b) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            (Some(a), Some(b)) if a.sha256 == b.sha256 => continue,
            (Some(a), Some(b)) => order(&a.version, &b.version),
        };
        changes.push(Change {
            kind,
            package: name.clone(),
            old: a.map(|p| p.version.clone()),
            new: b.map(|p| p.version.clone()),
            reason: b.and_then(|p| p.sets.get(set).cloned()),
            size_delta: delta(b.map_or(0, |p| p.size), a.map_or(0, |p| p.size)),
        });
    }
    changes
}

fn diff_images(old: &Lock, new: &Lock) -> Vec<Change> {
    let of = |lock: &'_ Lock| -> BTreeMap<ImageName, LockedImage> {
        lock.images.iter().map(|image| (image.reference.clone(), image.clone())).collect()
    };
    let (had, has) = (of(old), of(new));
    let names: BTreeSet<&ImageName> = had.keys().chain(has.keys()).collect();
    // As much of a digest as docker and git show.
    let short = |image: &LockedImage| format!("sha256:{:.12}", image.digest.to_string());
    let changes = names.into_iter().filter_map(|name| {
        let (a, b) = (had.get(name), has.get(name));
        let kind = match (a, b) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            (Some(a), Some(b)) if a == b => return None,
            (Some(_), Some(_)) => ChangeKind::Replaced,
        };
        Some(Change {
            kind,
            package: name.to_string(),
            old: a.map(short),
            new: b.map(short),
            reason: None,
            size_delta: delta(b.map_or(0, LockedImage::size), a.map_or(0, LockedImage::size)),
        })
    });
    changes.collect()
}

fn order(old: &str, new: &str) -> ChangeKind {
    let version = |text| -> Option<Version> { parse_version(text) };
    match version(new).cmp(&version(old)) {
        std::cmp::Ordering::Greater => ChangeKind::Upgraded,
        std::cmp::Ordering::Less => ChangeKind::Downgraded,
        std::cmp::Ordering::Equal => ChangeKind::Replaced,
    }
}

impl Changes {
    /// Whether the two locks have the same packages and container images.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.images.is_empty()
    }
}

impl ChangeKind {
    /// All kinds, in the order in which a table lists them.
    const ALL: [(ChangeKind, &'static str, char); 5] = [
        (ChangeKind::Added, "added", '+'),
        (ChangeKind::Removed, "removed", '-'),
        (ChangeKind::Upgraded, "upgraded", '^'),
        (ChangeKind::Downgraded, "downgraded", 'v'),
        (ChangeKind::Replaced, "replaced", '~'),
    ];
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = (!self.images.is_empty()).then_some(("container images", &self.images));
        for (set, changes) in self.sets.iter().map(|(set, changes)| (set.as_str(), changes)).chain(images) {
            let counts: Vec<String> = ChangeKind::ALL
                .iter()
                .map(|(kind, word, _)| (changes.iter().filter(|c| c.kind == *kind).count(), word))
                .filter(|(count, _)| *count > 0)
                .map(|(count, word)| format!("{count} {word}"))
                .collect();
            writeln!(f, "{set}: {}", counts.join(", "))?;
            write_set(f, changes)?;
        }
        match self.is_empty() {
            true => write!(f, "Nothing changes."),
            false => write!(f, "Download: {}, in all {}.", bytes(self.download), signed(self.size_delta)),
        }
    }
}

fn write_set(f: &mut fmt::Formatter<'_>, changes: &[Change]) -> fmt::Result {
    let versions = |change: &Change| match (&change.old, &change.new) {
        (Some(old), Some(new)) if old != new => format!("{old} -> {new}"),
        (old, new) => new.as_ref().or(old.as_ref()).cloned().unwrap_or_default(),
    };
    let name_width = changes.iter().map(|c| c.package.len()).max().unwrap_or(0);
    let version_width = changes.iter().map(|c| versions(c).len()).max().unwrap_or(0);
    for (kind, _, mark) in ChangeKind::ALL {
        for change in changes.iter().filter(|c| c.kind == kind) {
            let reason = match (&change.reason, kind) {
                (Some(reason), ChangeKind::Added) => format!("  for {reason}"),
                _ => String::new(),
            };
            writeln!(
                f,
                "  {mark} {:name_width$}  {:version_width$}  {:>9}{reason}",
                change.package,
                versions(change),
                signed(change.size_delta)
            )?;
        }
    }
    Ok(())
}

fn signed(delta: i64) -> String {
    let sign = if delta < 0 { '-' } else { '+' };
    format!("{sign}{}", bytes(delta.unsigned_abs()))
}

/// Decimal units, as package managers show sizes.
fn bytes(count: u64) -> String {
    match count {
        0..1000 => format!("{count} B"),
        1000..1_000_000 => format!("{} kB", (count + 500) / 1000),
        _ => format!("{}.{} MB", (count + 50_000) / 1_000_000, (count + 50_000) / 100_000 % 10),
    }
}
