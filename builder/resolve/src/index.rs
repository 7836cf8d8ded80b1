use std::collections::HashMap;

use debversion::Version;
use geminios_model::Arch;

use crate::relation::{Operator, Relation, parse_relations};
use crate::stanza::{Available, IndexProblem, Priority, read_file};

/// All packages that some suites offer.
#[derive(Debug, Default)]
pub struct Index {
    archives: Vec<(String, String)>,
    packages: Vec<Available>,
    by_name: HashMap<String, Vec<PackageId>>,
    provided: HashMap<String, Vec<Provider>>,
}

/// A package of an [`Index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackageId(pub u32);

/// A package that stands for another name.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub package: PackageId,
    pub version: Option<Version>,
}

/// A Packages file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("Packages of {archive} {suite}, line {line}: {problem}; try another mirror")]
pub struct IndexError {
    pub archive: String,
    pub suite: String,
    pub line: usize,
    pub problem: IndexProblem,
}

impl Index {
    /// An index without packages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a suite's Packages file, decompressed. All or nothing.
    ///
    /// A package that an earlier call added in the same version and architecture stays as it is.
    ///
    /// # Errors
    /// The first stanza that cannot be read.
    pub fn add(&mut self, archive: &str, suite: &str, packages: &[u8]) -> Result<(), IndexError> {
        let number = self.archives.len();
        let stanzas = read_file(packages, number).map_err(|(at, problem)| {
            let line = 1 + packages.iter().take(at).filter(|byte| **byte == b'\n').count();
            IndexError { archive: archive.to_owned(), suite: suite.to_owned(), line, problem }
        })?;
        self.archives.push((archive.to_owned(), suite.to_owned()));
        stanzas.into_iter().for_each(|stanza| self.insert(stanza));
        Ok(())
    }

    /// Number of packages, all versions counted.
    pub fn len(&self) -> usize {
        self.packages.len()
    }

    /// Whether there is no package.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }

    fn insert(&mut self, new: Available) {
        let known = self.by_name.entry(new.name.clone()).or_default();
        let twin = known.iter().copied().find(|id| {
            let old = &self.packages[id.0 as usize];
            old.version_text == new.version_text && old.architecture == new.architecture
        });
        let id = match twin {
            Some(id) => {
                // Within one file the order of stanzas must not matter; between files the earlier wins.
                let old = &self.packages[id.0 as usize];
                if old.archive != new.archive || (&old.filename, old.sha256) <= (&new.filename, new.sha256) {
                    return;
                }
                for providers in self.provided.values_mut() {
                    providers.retain(|provider| provider.package != id);
                }
                id
            }
            None => {
                let id = PackageId(u32::try_from(self.packages.len()).unwrap_or(u32::MAX));
                known.push(id);
                id
            }
        };
        for relation in
            parse_relations(&new.provides, &new.architecture).unwrap_or_default().into_iter().flatten()
        {
            // Only `(= version)` is allowed in Provides (Debian Policy, section 7.5).
            let version = match relation.version {
                Some((Operator::Equal, version)) => Some(version),
                Some(_) => continue,
                None => None,
            };
            self.provided.entry(relation.name).or_default().push(Provider { package: id, version });
        }
        match twin {
            Some(id) => self.packages[id.0 as usize] = new,
            None => self.packages.push(new),
        }
    }

    pub(crate) fn get(&self, id: PackageId) -> &Available {
        &self.packages[id.0 as usize]
    }

    pub(crate) fn archive(&self, package: &Available) -> (&str, &str) {
        let (archive, suite) = &self.archives[package.archive];
        (archive, suite)
    }

    /// Archives and suites, for messages.
    pub(crate) fn suites(&self) -> String {
        self.archives.iter().map(|(_, suite)| suite.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// All versions of a package for an architecture, newest first.
    pub(crate) fn versions(&self, name: &str, arch: Arch) -> Vec<PackageId> {
        let mut found: Vec<PackageId> = self.by_name.get(name).cloned().unwrap_or_default();
        found.retain(|id| self.get(*id).is_for(arch));
        found.sort_by(|a, b| self.newest_first(*a, *b));
        found
    }

    /// All packages for an architecture that provide a name in a way that satisfies the relation: by
    /// priority (so that `awk` is mawk, as apt has it), then by name, then the newest first.
    pub(crate) fn providers(&self, relation: &Relation, arch: Arch) -> Vec<PackageId> {
        let mut found: Vec<PackageId> = self
            .provided
            .get(&relation.name)
            .into_iter()
            .flatten()
            .filter(|provider| match (&relation.version, &provider.version) {
                (None, _) => true,
                (Some(_), Some(version)) => relation.admits(version),
                (Some(_), None) => false,
            })
            .map(|provider| provider.package)
            .filter(|id| self.get(*id).is_for(arch) && self.get(*id).fits(&relation.qualifier, arch))
            .collect();
        let rank = |id: PackageId| (self.get(id).priority, &self.get(id).name);
        found.sort_by(|a, b| rank(*a).cmp(&rank(*b)).then_with(|| self.newest_first(*a, *b)));
        found.dedup();
        found
    }

    fn newest_first(&self, a: PackageId, b: PackageId) -> std::cmp::Ordering {
        let (a, b) = (self.get(a), self.get(b));
        b.version
            .cmp(&a.version)
            .then_with(|| a.archive.cmp(&b.archive))
            .then_with(|| (&a.architecture, &a.version_text).cmp(&(&b.architecture, &b.version_text)))
    }

    /// Names of packages for an architecture, in no order.
    pub(crate) fn names(&self, arch: Arch) -> impl Iterator<Item = &str> {
        let here = move |ids: &Vec<PackageId>| ids.iter().any(|id| self.get(*id).is_for(arch));
        self.by_name.iter().filter(move |(_, ids)| here(ids)).map(|(name, _)| name.as_str())
    }

    /// Names of essential and required packages for an architecture, sorted.
    pub(crate) fn essential(&self, arch: Arch) -> Vec<&str> {
        let essential = self.packages.iter().filter(|package| {
            (package.essential || package.priority == Priority::Required) && package.is_for(arch)
        });
        let mut names: Vec<&str> = essential.map(|package| package.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
