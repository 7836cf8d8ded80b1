use std::collections::BTreeMap;

use geminios_model::{Archive, ArchiveState, Digest, ImageWish, Lock, LockedPackage, LockedScript};

use crate::solve::{Solution, Wish};

/// The maintainer scripts of each .deb, by the .deb's digest.
pub type ScriptInfo = BTreeMap<Digest, Vec<LockedScript>>;

/// A lock that cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the maintainer scripts of {name} {version} were not looked at; fetch {filename} first")]
    ScriptsUnknown { name: String, version: String, filename: String },
    #[error("{name} {version} has two contents: {first} and {second}; try another mirror")]
    TwoContents { name: String, version: String, first: Digest, second: Digest },
}

/// Puts a lock together, as yet without container images. A package that several sets hold becomes one stanza.
///
/// # Errors
/// A package whose scripts are not in `scripts`, or one that two solutions have with other bytes.
pub fn assemble(
    profile: &str,
    wishes: Digest,
    archives: Vec<ArchiveState>,
    solutions: &[Solution],
    scripts: &ScriptInfo,
) -> Result<Lock, PlanError> {
    let mut merged: BTreeMap<(&str, &str, &str), LockedPackage> = BTreeMap::new();
    for package in solutions.iter().flat_map(|solution| &solution.packages) {
        let key = (package.name.as_str(), package.architecture.as_str(), package.version.as_str());
        let stanza =
            merged.entry(key).or_insert_with(|| LockedPackage { sets: BTreeMap::new(), ..package.clone() });
        if stanza.sha256 != package.sha256 {
            return Err(PlanError::TwoContents {
                name: package.name.clone(),
                version: package.version.clone(),
                first: stanza.sha256,
                second: package.sha256,
            });
        }
        stanza.sets.extend(package.sets.clone());
    }
    let mut packages: Vec<LockedPackage> = merged.into_values().collect();
    for package in &mut packages {
        let known = scripts.get(&package.sha256).ok_or_else(|| PlanError::ScriptsUnknown {
            name: package.name.clone(),
            version: package.version.clone(),
            filename: package.filename.clone(),
        })?;
        package.scripts.clone_from(known);
        package.scripts.sort();
    }
    let mut archives = archives;
    archives.sort();
    let source_date_epoch = archives.iter().map(|archive| archive.date).max().unwrap_or(0);
    let images = Vec::new();
    Ok(Lock { profile: profile.to_owned(), wishes, source_date_epoch, archives, packages, images })
}

/// Digest of all that a lock answers to: archives, suites, components, what each set asks for and leaves out, and
/// container images.
///
/// The order of packages and images does not count, nor do reasons and keys: they choose no package. Nor does it count
/// which archive an image is taken from: its digest chooses it.
pub fn wishes_digest(archives: &[Archive], wishes: &[Wish], images: &[ImageWish]) -> Digest {
    let mut words: Vec<String> = vec!["geminios-wishes-1".to_owned()];
    for archive in archives {
        words.extend(["archive".to_owned(), archive.name.to_string()]);
        words.extend(archive.suites.iter().map(|suite| format!("suite {}", suite.as_str())));
        words.extend(archive.components.iter().map(|component| format!("component {component}")));
    }
    let mut wishes: Vec<&Wish> = wishes.iter().collect();
    wishes.sort_by(|a, b| a.set.cmp(&b.set));
    for wish in wishes {
        words.extend(["set".to_owned(), wish.set.clone(), wish.arch.to_string()]);
        words.push(format!("essential {}", wish.essential));
        let mut packages: Vec<String> =
            wish.packages.iter().map(|(package, origin)| format!("package {package} {origin}")).collect();
        packages.sort();
        packages.dedup();
        words.extend(packages);
        words.extend(wish.without.keys().map(|package| format!("without {package}")));
    }
    let mut images: Vec<String> =
        images.iter().map(|image| format!("container {} {}", image.reference, image.pinned())).collect();
    images.sort();
    words.extend(images);
    Digest::of_parts(words.iter().map(String::as_bytes))
}

/// Why a package is in a set: the package, what depends on it, and so on to the origin of a wish
/// (`@base`). Empty if the set does not hold it.
pub fn why(lock: &Lock, set: &str, package: &str) -> Vec<String> {
    let reasons: BTreeMap<&str, &str> =
        lock.set(set).map(|p| (p.name.as_str(), p.sets[set].as_str())).collect();
    let mut chain: Vec<String> = Vec::new();
    let mut name = package;
    while let Some(reason) = reasons.get(name) {
        // A lock that was edited by hand may go in circles.
        if chain.iter().any(|known| known == name) {
            break;
        }
        chain.push(name.to_owned());
        name = reason;
    }
    if !chain.is_empty() && name.starts_with('@') {
        chain.push(name.to_owned());
    }
    chain
}
