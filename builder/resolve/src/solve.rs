use std::collections::{BTreeMap, BTreeSet};

use geminios_model::{Arch, Lock, LockedPackage};

use crate::conflict::Conflict;
use crate::index::{Index, PackageId};
use crate::search::search;
use crate::world::{Satisfiers, World};

/// What one set of packages is asked to be.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Name of the set: `image`, or a tool set's.
    pub set: String,
    pub arch: Arch,
    /// Package names, each with who asks for it (`@base`).
    pub packages: Vec<(String, String)>,
    /// Names that count as present and are never chosen, each with the reason.
    pub without: BTreeMap<String, String>,
    /// Asks for all essential and required packages, too.
    pub essential: bool,
}

/// Versions to choose where possible: those of an older lock.
#[derive(Clone, Debug, Default)]
pub struct Preferences {
    keep: BTreeMap<String, String>,
    update: BTreeSet<String>,
}

/// A package to update that the lock does not have.
#[derive(Debug, thiserror::Error)]
#[error("`{package}` is not in the lock, so it cannot be updated; `geminios explain` lists what is")]
pub struct NotLocked {
    pub package: String,
}

/// A choice of packages that satisfies a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// Name of the set.
    pub set: String,
    /// The packages, sorted by name, each with the reason why it is there and without scripts.
    pub packages: Vec<LockedPackage>,
    /// Names left out that no chosen package asks for.
    pub unused_without: Vec<String>,
}

impl Preferences {
    /// No preference: the newest versions.
    pub fn newest() -> Self {
        Self::default()
    }

    /// What a lock has for a set.
    pub fn keep(lock: &Lock, set: &str) -> Self {
        let version = |package: &LockedPackage| (package.name.clone(), package.version.clone());
        Self { keep: lock.set(set).map(version).collect(), update: BTreeSet::new() }
    }

    /// What a lock has for a set, but the newest of some packages and of all that is built from the same sources.
    ///
    /// # Errors
    /// A package that is in no set of the lock.
    pub fn keep_but(lock: &Lock, set: &str, update: &[String]) -> Result<Self, NotLocked> {
        let mut kept = Self::keep(lock, set);
        for package in update {
            let locked = lock.packages.iter().filter(|p| p.name == *package);
            let sources: BTreeSet<&String> = locked.map(|p| &p.source.0).collect();
            if sources.is_empty() {
                return Err(NotLocked { package: package.clone() });
            }
            for sibling in lock.set(set).filter(|p| sources.contains(&p.source.0)) {
                kept.keep.remove(&sibling.name);
                kept.update.insert(sibling.name.clone());
            }
        }
        Ok(kept)
    }
}

/// Chooses packages that satisfy a wish: Depends and Pre-Depends, no Recommends.
///
/// The same index, wish and preferences always give the same choice, in whatever order the index's
/// stanzas and the wish's packages come.
///
/// # Errors
/// Why there is no such choice.
pub fn solve(index: &Index, wish: &Wish, preferences: &Preferences) -> Result<Solution, Conflict> {
    let world = World { index, arch: wish.arch, without: &wish.without, keep: &preferences.keep };
    let wanted = wanted(&world, wish);
    Conflict::of_wishes(&world, wish, &wanted)?;
    let is_new = |name: &str| !preferences.keep.contains_key(name);
    // What is new decides first, so that a kept version elsewhere cannot hold it back.
    let mut names: Vec<&str> = wanted.keys().map(String::as_str).collect();
    names.sort_by_key(|name| !is_new(name));
    let lists: Vec<Vec<PackageId>> = names.iter().map(|name| world.candidates(name)).collect();
    let updates =
        preferences.update.iter().map(|name| world.candidates(name)).filter(|list| !list.is_empty());
    let with_updates: Vec<Vec<PackageId>> = updates.chain(lists.iter().cloned()).collect();
    let chosen = match search(&world, &with_updates) {
        None if with_updates.len() > lists.len() => search(&world, &lists),
        found => found,
    };
    let chosen = chosen.ok_or_else(|| Conflict::explain(&world, wish, &wanted))?;
    let chosen: BTreeMap<&str, PackageId> =
        chosen.into_iter().map(|id| (index.get(id).name.as_str(), id)).collect();
    Ok(solution(&world, wish, &wanted, &needed(&world, &wanted, &chosen)))
}

/// The wished names, sorted, each with its origin.
fn wanted(world: &World<'_>, wish: &Wish) -> BTreeMap<String, String> {
    let mut packages: Vec<&(String, String)> = wish.packages.iter().collect();
    packages.sort();
    let mut wanted = BTreeMap::new();
    for (package, origin) in packages {
        wanted.entry(package.clone()).or_insert_with(|| origin.clone());
    }
    let essential = if wish.essential { world.index.essential(wish.arch) } else { Vec::new() };
    for package in essential.into_iter().filter(|name| !wish.without.contains_key(*name)) {
        wanted.entry(package.to_owned()).or_insert_with(|| "@essential".to_owned());
    }
    wanted
}

/// The part of a choice that the wishes need. The search may have chosen the first of some alternatives
/// before it chose another of them for a better reason; then the first one is not needed. Where a choice
/// remains, the package nearest to a wish decides.
fn needed<'a>(
    world: &World<'a>,
    wanted: &BTreeMap<String, String>,
    chosen: &BTreeMap<&'a str, PackageId>,
) -> BTreeSet<PackageId> {
    let mut queue: Vec<PackageId> =
        wanted.keys().filter_map(|name| chosen.get(name.as_str()).copied()).collect();
    let mut needed: BTreeSet<PackageId> = queue.iter().copied().collect();
    let mut open: Vec<Vec<PackageId>> = Vec::new();
    let is_chosen = |id: &PackageId| chosen.get(world.get(*id).name.as_str()) == Some(id);
    let mut next = 0;
    loop {
        while let Some(id) = queue.get(next).copied() {
            next += 1;
            for group in world.depends(id).unwrap_or_default() {
                let Satisfiers::Packages(mut options) = world.satisfiers(&group) else { continue };
                options.retain(is_chosen);
                match options.as_slice() {
                    [only] if needed.insert(*only) => queue.push(*only),
                    [] | [_] => {}
                    _ => open.push(options),
                }
            }
        }
        open.retain(|options| !options.iter().any(|id| needed.contains(id)));
        let Some(options) = open.first() else { return needed };
        needed.insert(options[0]);
        queue.push(options[0]);
    }
}

/// Walks breadth-first from the wishes, so that each package gets the reason nearest to one.
fn solution(
    world: &World<'_>,
    wish: &Wish,
    wanted: &BTreeMap<String, String>,
    needed: &BTreeSet<PackageId>,
) -> Solution {
    let named: BTreeMap<&str, PackageId> =
        needed.iter().map(|id| (world.get(*id).name.as_str(), *id)).collect();
    let mut reasons: BTreeMap<PackageId, &str> = BTreeMap::new();
    let mut queue = Vec::new();
    for (name, origin) in wanted {
        if let Some(id) = named.get(name.as_str()) {
            reasons.insert(*id, origin);
            queue.push(*id);
        }
    }
    let mut unused: BTreeSet<&str> = wish.without.keys().map(String::as_str).collect();
    if wish.essential {
        for name in world.index.essential(wish.arch) {
            unused.remove(name);
        }
    }
    let mut next = 0;
    while let Some(id) = queue.get(next).copied() {
        next += 1;
        for group in world.depends(id).unwrap_or_default() {
            match world.satisfiers(&group) {
                Satisfiers::LeftOut(name) => {
                    unused.remove(name.as_str());
                }
                Satisfiers::Packages(options) => {
                    let Some(option) = options.into_iter().find(|id| needed.contains(id)) else { continue };
                    if let std::collections::btree_map::Entry::Vacant(entry) = reasons.entry(option) {
                        entry.insert(&world.get(id).name);
                        queue.push(option);
                    }
                }
            }
        }
    }
    let packages = named.values().filter_map(|id| Some(locked(world, wish, *id, reasons.get(id)?))).collect();
    let unused_without = unused.into_iter().map(str::to_owned).collect();
    Solution { set: wish.set.clone(), packages, unused_without }
}

fn locked(world: &World<'_>, wish: &Wish, id: PackageId, reason: &str) -> LockedPackage {
    let package = world.get(id);
    LockedPackage {
        name: package.name.clone(),
        version: package.version_text.clone(),
        architecture: package.architecture.clone(),
        sets: BTreeMap::from([(wish.set.clone(), reason.to_owned())]),
        archive: world.index.archive(package).0.to_owned(),
        filename: package.filename.clone(),
        size: package.size,
        sha256: package.sha256,
        source: package.source(),
        scripts: Vec::new(),
    }
}
