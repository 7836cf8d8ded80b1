use std::collections::BTreeMap;

use geminios_model::Arch;

use crate::index::{Index, PackageId};
use crate::relation::{Qualifier, Relation, RelationError, parse_relations};
use crate::stanza::Available;

/// The packages of an index as one wish sees them: its architecture, what it leaves out, what it prefers.
pub(crate) struct World<'a> {
    pub index: &'a Index,
    pub arch: Arch,
    pub without: &'a BTreeMap<String, String>,
    pub keep: &'a BTreeMap<String, String>,
}

/// What may satisfy a group of alternatives.
pub(crate) enum Satisfiers {
    /// A package that is left out: it counts as present.
    LeftOut(String),
    /// These, the preferred first.
    Packages(Vec<PackageId>),
}

/// A relation that keeps packages from being installed together.
pub(crate) struct Rivalry {
    /// `conflicts with` or `breaks`.
    pub verb: &'static str,
    pub relation: Relation,
    pub packages: Vec<PackageId>,
}

impl World<'_> {
    pub fn get(&self, id: PackageId) -> &Available {
        self.index.get(id)
    }

    /// The versions of a package that may be chosen: the kept one first, then the newest.
    pub fn candidates(&self, name: &str) -> Vec<PackageId> {
        if self.without.contains_key(name) {
            return Vec::new();
        }
        let mut found = self.index.versions(name, self.arch);
        found.sort_by_key(|id| !self.is_kept(*id));
        found
    }

    fn is_kept(&self, id: PackageId) -> bool {
        let package = self.get(id);
        self.keep.get(&package.name) == Some(&package.version_text)
    }

    /// The groups of Pre-Depends and Depends, in this order.
    pub fn depends(&self, id: PackageId) -> Result<Vec<Vec<Relation>>, RelationError> {
        let package = self.get(id);
        let mut groups = parse_relations(&package.pre_depends, self.arch.debian())?;
        groups.extend(parse_relations(&package.depends, self.arch.debian())?);
        Ok(groups)
    }

    /// What satisfies one of these alternatives. Kept packages go first, then the order of the
    /// alternatives counts, and a package of that name goes before those that provide it.
    pub fn satisfiers(&self, group: &[Relation]) -> Satisfiers {
        let mut found: Vec<PackageId> = Vec::new();
        for relation in group {
            if self.without.contains_key(&relation.name) {
                return Satisfiers::LeftOut(relation.name.clone());
            }
            // That a left-out package counts as present holds for what it provides, too, in any version.
            let unversioned = Relation { version: None, ..relation.clone() };
            let providers = self.index.providers(&unversioned, self.arch);
            let left_out = providers.iter().map(|id| &self.get(*id).name);
            if let Some(name) = left_out.into_iter().find(|name| self.without.contains_key(*name)) {
                return Satisfiers::LeftOut(name.clone());
            }
            for id in self.real(relation).into_iter().chain(self.index.providers(relation, self.arch)) {
                if !found.contains(&id) {
                    found.push(id);
                }
            }
        }
        found.sort_by_key(|id| !self.is_kept(*id));
        Satisfiers::Packages(found)
    }

    /// Versions of the package that a relation names.
    fn real(&self, relation: &Relation) -> Vec<PackageId> {
        let mut found = self.candidates(&relation.name);
        found.retain(|id| {
            let package = self.get(*id);
            relation.admits(&package.version) && package.fits(&relation.qualifier, self.arch)
        });
        found
    }

    /// What a package cannot be installed with, by its own Conflicts and Breaks. A package that conflicts
    /// with a name that it provides means the others (Debian Policy, section 7.6.2).
    pub fn rivals(&self, id: PackageId) -> Result<Vec<Rivalry>, RelationError> {
        let package = self.get(id);
        let mut found = Vec::new();
        for (verb, field) in [("conflicts with", &package.conflicts), ("breaks", &package.breaks)] {
            for relation in parse_relations(field, self.arch.debian())?.into_iter().flatten() {
                let foreign =
                    matches!(&relation.qualifier, Qualifier::Arch(arch) if arch != self.arch.debian());
                if foreign {
                    continue;
                }
                let relation = Relation { qualifier: Qualifier::None, ..relation };
                let mut packages = self.real(&relation);
                packages.extend(self.index.providers(&relation, self.arch));
                packages.retain(|rival| {
                    let rival = self.get(*rival);
                    rival.name != package.name && !self.without.contains_key(&rival.name)
                });
                packages.sort_unstable();
                packages.dedup();
                if !packages.is_empty() {
                    found.push(Rivalry { verb, relation, packages });
                }
            }
        }
        Ok(found)
    }
}
