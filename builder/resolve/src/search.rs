use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;

use resolvo::{
    Candidates, Condition, ConditionId, Dependencies, DependencyProvider, HintDependenciesAvailable,
    Interner, KnownDependencies, NameId, Problem, Requirement, SolvableId, Solver, SolverCache, StringId,
    VersionSetId, VersionSetUnionId,
};

use crate::index::PackageId;
use crate::world::{Satisfiers, World};

/// Searches for packages of which at least one of each list is chosen, with all that they need; `None` if there is no such choice.
///
/// Of each list, and of each group of alternatives, what stands first is preferred.
pub(crate) fn search(world: &World<'_>, wanted: &[Vec<PackageId>]) -> Option<Vec<PackageId>> {
    let provider = Provider { world, terms: RefCell::default() };
    let requirements = wanted.iter().map(|list| provider.requirement("", list).into()).collect();
    let problem = Problem::new().requirements(requirements);
    let chosen = Solver::new(provider).solve(problem).ok()?;
    Some(chosen.into_iter().map(|id| PackageId(id.into_raw())).collect())
}

/// resolvo's view of a [`World`]: each package name is a name, each version of it a solvable.
/// A name that others provide becomes the union of their solvables wherever it is asked for.
struct Provider<'a> {
    world: &'a World<'a>,
    terms: RefCell<Terms>,
}

/// What resolvo refers to by number.
#[derive(Default)]
struct Terms {
    names: Vec<String>,
    by_name: HashMap<String, NameId>,
    sets: Vec<(NameId, Vec<SolvableId>)>,
    by_set: HashMap<(NameId, Vec<SolvableId>), VersionSetId>,
    unions: Vec<Vec<VersionSetId>>,
    strings: Vec<String>,
}

impl Provider<'_> {
    fn name(&self, name: &str) -> NameId {
        let terms = &mut *self.terms.borrow_mut();
        if let Some(id) = terms.by_name.get(name) {
            return *id;
        }
        let id = NameId::from_raw(terms.names.len() as u32);
        terms.names.push(name.to_owned());
        terms.by_name.insert(name.to_owned(), id);
        id
    }

    /// The set of some versions of one package.
    fn set(&self, name: &str, packages: &[PackageId]) -> VersionSetId {
        let name = self.name(name);
        let mut members: Vec<SolvableId> = packages.iter().map(|id| SolvableId::from_raw(id.0)).collect();
        members.sort_unstable();
        let terms = &mut *self.terms.borrow_mut();
        *terms.by_set.entry((name, members)).or_insert_with_key(|key| {
            terms.sets.push(key.clone());
            VersionSetId(terms.sets.len() as u32 - 1)
        })
    }

    /// One of these; `name` is what was asked for.
    fn requirement(&self, name: &str, packages: &[PackageId]) -> Requirement {
        let same = |a: &PackageId, b: &PackageId| self.world.get(*a).name == self.world.get(*b).name;
        let sets: Vec<VersionSetId> =
            packages.chunk_by(same).map(|run| self.set(&self.world.get(run[0]).name, run)).collect();
        match sets.as_slice() {
            [] => self.set(name, &[]).into(),
            [set] => (*set).into(),
            _ => {
                let unions = &mut self.terms.borrow_mut().unions;
                unions.push(sets);
                VersionSetUnionId(unions.len() as u32 - 1).into()
            }
        }
    }

    fn dependencies(&self, id: PackageId) -> Result<KnownDependencies, crate::relation::RelationError> {
        let mut known = KnownDependencies::default();
        for group in self.world.depends(id)? {
            if let Satisfiers::Packages(packages) = self.world.satisfiers(&group) {
                known.requirements.push(self.requirement(&group[0].name, &packages).into());
            }
        }
        for rivalry in self.world.rivals(id)? {
            let mut names: Vec<&str> =
                rivalry.packages.iter().map(|id| self.world.get(*id).name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let mut allowed = self.world.candidates(name);
                allowed.retain(|id| !rivalry.packages.contains(id));
                known.constrains.push(self.set(name, &allowed));
            }
        }
        Ok(known)
    }
}

impl Interner for Provider<'_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        let package = self.world.get(PackageId(solvable.into_raw()));
        format!("{} {}", package.name, package.version_text)
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.terms.borrow().names[name.into_raw() as usize].clone()
    }

    fn display_version_set(&self, set: VersionSetId) -> impl Display + '_ {
        format!("{:?}", self.terms.borrow().sets[set.0 as usize].1)
    }

    fn display_string(&self, string: StringId) -> impl Display + '_ {
        self.terms.borrow().strings[string.0 as usize].clone()
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        self.terms.borrow().sets[set.0 as usize].0
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.name(&self.world.get(PackageId(solvable.into_raw())).name)
    }

    fn version_sets_in_union(&self, union: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        self.terms.borrow().unions[union.0 as usize].clone().into_iter()
    }

    fn resolve_condition(&self, _: ConditionId) -> Condition {
        // No requirement here has a condition, so resolvo has no number to ask about.
        Condition::Requirement(VersionSetId::default())
    }
}

impl DependencyProvider for Provider<'_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let members = &self.terms.borrow().sets[set.0 as usize].1;
        candidates.iter().copied().filter(|id| members.binary_search(id).is_ok() != inverse).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let name = self.terms.borrow().names[name.into_raw() as usize].clone();
        let candidates = self.world.candidates(&name);
        Some(Candidates {
            candidates: candidates.iter().map(|id| SolvableId::from_raw(id.0)).collect(),
            hint_dependencies_available: HintDependenciesAvailable::None,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        let Some(first) = solvables.first() else { return };
        let order = self.world.candidates(&self.world.get(PackageId(first.into_raw())).name);
        solvables.sort_by_key(|id| order.iter().position(|other| other.0 == id.into_raw()));
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        match self.dependencies(PackageId(solvable.into_raw())) {
            Ok(known) => Dependencies::Known(known),
            Err(error) => {
                let strings = &mut self.terms.borrow_mut().strings;
                strings.push(error.to_string());
                Dependencies::Unknown(StringId(strings.len() as u32 - 1))
            }
        }
    }
}
