use std::collections::BTreeMap;
use std::fmt::Write as _;

use geminios_model::{Budget, Lock, LockedPackage};

use crate::tree::{Node, Owner, Tree};

/// The name under which fix-ups' own files are counted.
const FIXUPS: &str = "(fix-ups)";

/// Installed bytes, by who asked for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// By overlay (or `profile`, `(essential)` and the like, as the lock has it; `(fix-ups)` for what no one ships): bytes
    /// of its own files and of each package that it pulls in.
    pub overlays: BTreeMap<String, Share>,
}

/// What one overlay brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Bytes of the overlay's own files.
    pub own: u64,
    /// Bytes by package.
    pub packages: BTreeMap<String, u64>,
}

impl Share {
    /// All its bytes.
    pub fn total(&self) -> u64 {
        self.own + self.packages.values().sum::<u64>()
    }
}

/// An overlay over its budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    pub overlay: String,
    /// Bytes.
    pub installed: u64,
    /// Bytes.
    pub limit: u64,
}

impl Installed {
    /// Counts the files of a tree. A package counts for the overlay at the end of the lock's chain of reasons.
    pub fn of(tree: &Tree, lock: &Lock) -> Self {
        let packages: BTreeMap<&str, &LockedPackage> =
            lock.set("image").map(|p| (p.name.as_str(), p)).collect();
        let mut installed = Installed::default();
        for (_, entry) in tree.iter() {
            let Node::File(content) = &entry.node else { continue };
            let (overlay, package) = match &entry.owner {
                Owner::Package(name) => (wisher(&packages, name), Some(name)),
                Owner::Overlay(name) | Owner::Profile(name) => (name.clone(), None),
                Owner::Fixup(_) => (FIXUPS.to_owned(), None),
            };
            let share = installed.overlays.entry(overlay).or_default();
            match package {
                Some(name) => *share.packages.entry(name.clone()).or_default() += content.len(),
                None => share.own += content.len(),
            }
        }
        installed
    }

    /// All bytes.
    pub fn total(&self) -> u64 {
        self.overlays.values().map(Share::total).sum()
    }

    /// All bytes of each.
    pub fn totals(&self) -> BTreeMap<String, u64> {
        self.overlays.iter().map(|(name, share)| (name.clone(), share.total())).collect()
    }

    /// The overlays over their budget.
    pub fn over(&self, budget: &Budget) -> Vec<Over> {
        let over = budget.installed.iter().filter_map(|(overlay, limit)| {
            let (installed, limit) = (self.overlays.get(overlay)?.total(), limit.saturating_mul(1_000_000));
            (installed > limit).then(|| Over { overlay: overlay.clone(), installed, limit })
        });
        over.collect()
    }

    /// The overlays with what they weigh and their five heaviest packages, heaviest first.
    pub fn table(&self) -> String {
        let mut rows: Vec<_> = self.overlays.iter().collect();
        rows.sort_by_key(|(name, share)| (std::cmp::Reverse(share.total()), *name));
        let mut out = String::new();
        for (name, share) in rows {
            let mut packages: Vec<_> = share.packages.iter().collect();
            packages.sort_by_key(|(name, bytes)| (std::cmp::Reverse(**bytes), *name));
            let _ = writeln!(out, "{:>9}  {name}", megabytes(share.total()));
            for (package, bytes) in packages.into_iter().take(5) {
                let _ = writeln!(out, "{:>9}    {package}", megabytes(*bytes));
            }
        }
        out
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Follows the lock's reasons from a package to the overlay, profile or rule (`@name`) that began the chain.
fn wisher(packages: &BTreeMap<&str, &LockedPackage>, package: &str) -> String {
    let mut at = package;
    // A chain longer than the lock goes in a circle.
    for _ in 0..=packages.len() {
        match packages.get(at).and_then(|p| p.sets.get("image")) {
            Some(why) => match why.strip_prefix('@') {
                Some(name) => return name.to_owned(),
                None => at = why,
            },
            None => break,
        }
    }
    "(unknown)".to_owned()
}
