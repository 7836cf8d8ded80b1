use std::collections::BTreeMap;
use std::fmt;

use crate::absence::{Dead, dead_wishes};
use crate::index::Index;
use crate::relation::{Qualifier, Relation};
use crate::rivalry::rivalry;
use crate::solve::Wish;
use crate::world::World;

/// Why a wish cannot be met, as a person would say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Name of the set.
    pub set: String,
    /// At least one.
    pub troubles: Vec<Trouble>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong, in one sentence.
    pub what: String,
    /// From the wish to what is wrong, one step a line.
    pub chain: Vec<String>,
    /// What can be done about it.
    pub help: Vec<String>,
}

impl std::error::Error for Conflict {}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot choose the packages of `{}`", self.set)?;
        for trouble in &self.troubles {
            write!(f, "\n{}", trouble.what)?;
            for step in &trouble.chain {
                write!(f, "\n  {step}")?;
            }
            for help in &trouble.help {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}

impl Conflict {
    /// Refuses wishes for packages that are not there, before any search.
    pub(crate) fn of_wishes(
        world: &World<'_>,
        wish: &Wish,
        wanted: &BTreeMap<String, String>,
    ) -> Result<(), Conflict> {
        let troubles: Vec<Trouble> =
            wanted.iter().filter_map(|(name, origin)| unavailable(world, name, origin)).collect();
        if troubles.is_empty() {
            return Ok(());
        }
        Err(Conflict { set: wish.set.clone(), troubles })
    }

    /// Says why a search found nothing: what is not there or, if all is there, what cannot be together.
    pub(crate) fn explain(world: &World<'_>, wish: &Wish, wanted: &BTreeMap<String, String>) -> Conflict {
        let dead = Dead::among(world, wanted.keys().flat_map(|name| world.candidates(name)));
        let mut troubles = dead_wishes(world, &dead, wanted);
        if troubles.is_empty() {
            troubles.push(rivalry(world, &dead, wanted));
        }
        Conflict { set: wish.set.clone(), troubles }
    }
}

fn unavailable(world: &World<'_>, name: &str, origin: &str) -> Option<Trouble> {
    let trouble = |what: String, help: Vec<String>| Some(Trouble { what, chain: Vec::new(), help });
    if let Some(reason) = world.without.get(name) {
        let help = "drop one of the two".to_owned();
        return trouble(format!("`{name}` is wanted by {origin}, but left out ({reason})"), vec![help]);
    }
    if !world.index.versions(name, world.arch).is_empty() {
        return None;
    }
    let relation = Relation { name: name.to_owned(), qualifier: Qualifier::None, version: None };
    let mut providers: Vec<&str> =
        world.index.providers(&relation, world.arch).iter().map(|id| world.get(*id).name.as_str()).collect();
    providers.dedup();
    if !providers.is_empty() {
        let help = format!("ask for one of them: {}", providers.join(", "));
        return trouble(
            format!("`{name}`, wanted by {origin}, is only a name that others provide"),
            vec![help],
        );
    }
    trouble(format!("`{name}`, wanted by {origin}, {}", nowhere(world)), similar(world, name))
}

/// Where a package that does not exist was looked for.
pub(crate) fn nowhere(world: &World<'_>) -> String {
    format!("is in no suite for {} ({})", world.arch, world.index.suites())
}

/// Names that were perhaps meant.
pub(crate) fn similar(world: &World<'_>, name: &str) -> Vec<String> {
    let names = nearest(world.index, world, name);
    if names.is_empty() {
        return vec!["look it up in the archive; another suite or component may have it".to_owned()];
    }
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    vec![format!("did you mean {}?", names.join(" or "))]
}

fn nearest<'a>(index: &'a Index, world: &World<'_>, name: &str) -> Vec<&'a str> {
    // One slip in three letters still reads as a misspelling.
    let limit = (name.len() / 3).clamp(1, 4);
    let mut found: Vec<(usize, &str)> = index
        .names(world.arch)
        .filter(|other| other.len().abs_diff(name.len()) <= limit)
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    let best = found.first().map_or(0, |(distance, _)| *distance);
    found.into_iter().filter(|(distance, _)| *distance <= best + 1).map(|(_, name)| name).take(3).collect()
}
