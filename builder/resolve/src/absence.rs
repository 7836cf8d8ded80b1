use std::collections::BTreeMap;

use crate::conflict::{Trouble, nowhere, similar};
use crate::index::PackageId;
use crate::relation::Relation;
use crate::world::{Satisfiers, World};

/// One group of alternatives and what satisfies it.
#[derive(Clone)]
pub(crate) struct Need {
    pub group: Vec<Relation>,
    pub options: Vec<PackageId>,
}

pub(crate) fn needs(world: &World<'_>, id: PackageId) -> Vec<Need> {
    let groups = world.depends(id).unwrap_or_default().into_iter();
    groups
        .filter_map(|group| match world.satisfiers(&group) {
            Satisfiers::LeftOut(_) => None,
            Satisfiers::Packages(options) => Some(Need { group, options }),
        })
        .collect()
}

/// Packages that can never be installed, in the order in which that was found out.
pub(crate) struct Dead {
    /// Position in that order, and the need that cannot be met; none if the stanza cannot be read.
    pub found: BTreeMap<PackageId, (usize, Option<Need>)>,
}

impl Dead {
    pub fn among(world: &World<'_>, roots: impl Iterator<Item = PackageId>) -> Self {
        let mut open: Vec<PackageId> = roots.collect();
        let mut reachable: BTreeMap<PackageId, Vec<Need>> = BTreeMap::new();
        while let Some(id) = open.pop() {
            reachable.entry(id).or_insert_with(|| {
                let needs = needs(world, id);
                open.extend(needs.iter().flat_map(|need| &need.options));
                needs
            });
        }
        let mut found: BTreeMap<PackageId, (usize, Option<Need>)> = BTreeMap::new();
        // By name and not by number, so that the order of stanzas does not choose the words.
        let mut order: Vec<PackageId> = reachable.keys().copied().collect();
        order.sort_by_key(|id| (&world.get(*id).name, &world.get(*id).version_text));
        loop {
            let before = found.len();
            for id in &order {
                if found.contains_key(id) {
                    continue;
                }
                let unreadable = world.depends(*id).is_err() || world.rivals(*id).is_err();
                let unmet = reachable[id].iter().find(|n| n.options.iter().all(|o| found.contains_key(o)));
                if unreadable || unmet.is_some() {
                    let unmet = unmet.filter(|_| !unreadable).cloned();
                    found.insert(*id, (found.len(), unmet));
                }
            }
            if found.len() == before {
                return Dead { found };
            }
        }
    }
}

/// Wishes that fail by themselves: something that they need is not there.
pub(crate) fn dead_wishes(world: &World<'_>, dead: &Dead, wanted: &BTreeMap<String, String>) -> Vec<Trouble> {
    let mut troubles: Vec<Trouble> = Vec::new();
    for (name, origin) in wanted {
        let candidates = world.candidates(name);
        if let Some(first) = candidates.first()
            && candidates.iter().all(|id| dead.found.contains_key(id))
        {
            let trouble = dead_trouble(world, dead, *first, origin);
            // Many wishes may fail for one reason; it is told once.
            if !troubles.iter().any(|known| known.what == trouble.what) {
                troubles.push(trouble);
            }
        }
    }
    troubles
}

fn dead_trouble(world: &World<'_>, dead: &Dead, wish: PackageId, origin: &str) -> Trouble {
    let mut chain = Vec::new();
    let mut id = wish;
    loop {
        let who = match chain.len() {
            0 => format!("{} (wanted by {origin})", shown(world, id)),
            _ => shown(world, id),
        };
        let Some((_, Some(need))) = dead.found.get(&id) else {
            let error = world.depends(id).err().or_else(|| world.rivals(id).err());
            let error = error.map(|e| e.to_string()).unwrap_or_default();
            let what = format!("the stanza of {} cannot be read: {error}", shown(world, id));
            chain.push(who);
            return Trouble { what, chain, help: vec!["try another mirror".to_owned()] };
        };
        chain.push(format!("{who} depends on {}", group_text(&need.group)));
        match need.options.first() {
            Some(option) => id = *option,
            None => return missing(world, need, chain),
        }
    }
}

/// The trouble with a group that nothing satisfies.
fn missing(world: &World<'_>, need: &Need, chain: Vec<String>) -> Trouble {
    let mut reasons = Vec::new();
    let mut help = Vec::new();
    for relation in &need.group {
        let unversioned = Relation { version: None, ..relation.clone() };
        let mut offers = world.candidates(&relation.name);
        offers.extend(world.index.providers(&unversioned, world.arch));
        let offers: Vec<String> = offers.into_iter().map(|id| shown(world, id)).collect();
        if offers.is_empty() {
            reasons.push(format!("`{}` {}", relation.name, nowhere(world)));
            help.extend(similar(world, &relation.name).into_iter().filter(|help| help.starts_with("did")));
        } else if relation.version.is_some() {
            reasons.push(format!("{relation} is needed, but there is only {}", offers.join(", ")));
        } else {
            reasons.push(format!("{relation} is needed, but {} is not for that", offers.join(", ")));
        }
    }
    let name = need.group.first().map_or("", |relation| &relation.name);
    help.push(format!(
        "add the suite or component that has it to the profile, or leave `{name}` out with a [[without]] and its reason"
    ));
    Trouble { what: reasons.join("; "), chain, help }
}

pub(crate) fn shown(world: &World<'_>, id: PackageId) -> String {
    let package = world.get(id);
    format!("{} {}", package.name, package.version_text)
}

pub(crate) fn group_text(group: &[Relation]) -> String {
    group.iter().map(Relation::to_string).collect::<Vec<_>>().join(" | ")
}
