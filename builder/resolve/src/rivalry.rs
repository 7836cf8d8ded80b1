use std::collections::{BTreeMap, BTreeSet};

use crate::absence::{Dead, Need, group_text, needs, shown};
use crate::conflict::Trouble;
use crate::index::PackageId;
use crate::search::search;
use crate::world::World;

/// Packages taken one after the other, each because it has to be, until two cannot be together.
struct Attempt<'a> {
    world: &'a World<'a>,
    dead: &'a Dead,
    /// In the order in which they were taken, each with who needs it.
    taken: Vec<(PackageId, Because)>,
    needs: Vec<(Because, Need)>,
    /// Whether one of several possible packages was taken somewhere.
    chose: bool,
}

#[derive(Clone)]
enum Because {
    /// Its origin.
    Wish(String),
    /// The package and what it depends on.
    Package(PackageId, String),
}

/// Says which packages cannot be together, and who wants each of them.
pub(crate) fn rivalry(world: &World<'_>, dead: &Dead, wanted: &BTreeMap<String, String>) -> Trouble {
    if let Some(trouble) = Attempt::new(world, dead, wanted).run(false) {
        return trouble;
    }
    // The search for what is to blame is easier to follow with the fewest wishes that still fail.
    let mut core = wanted.clone();
    for name in wanted.keys() {
        let mut fewer = core.clone();
        fewer.remove(name);
        let lists: Vec<Vec<PackageId>> = fewer.keys().map(|name| world.candidates(name)).collect();
        if search(world, &lists).is_none() {
            core = fewer;
        }
    }
    Attempt::new(world, dead, &core).run(true).unwrap_or_else(|| Trouble {
        what: "these cannot be installed together".to_owned(),
        chain: core.iter().map(|(name, origin)| format!("{name} is wanted by {origin}")).collect(),
        help: vec!["drop one of them".to_owned()],
    })
}

impl<'a> Attempt<'a> {
    fn new(world: &'a World<'a>, dead: &'a Dead, wanted: &BTreeMap<String, String>) -> Self {
        let needs = wanted.iter().map(|(name, origin)| {
            (Because::Wish(origin.clone()), Need { group: Vec::new(), options: world.candidates(name) })
        });
        Attempt { world, dead, taken: Vec::new(), needs: needs.collect(), chose: false }
    }

    /// Takes all that has no alternative; where nothing is left to take but choices, takes the first
    /// of one if `choose`, and gives up otherwise.
    fn run(mut self, choose: bool) -> Option<Trouble> {
        loop {
            let mut take: Option<(Because, PackageId)> = None;
            let mut choice = None;
            for (because, need) in &self.needs {
                if need.options.iter().any(|id| self.because(*id).is_some()) {
                    continue;
                }
                let mut possible = need.options.iter().filter(|id| self.obstacle(**id).is_none());
                match (possible.next(), possible.next()) {
                    (None, _) => return Some(self.trouble(because, need)),
                    (Some(only), None) => {
                        take = Some((because.clone(), *only));
                        break;
                    }
                    (Some(first), Some(_)) if choice.is_none() => {
                        choice = Some((because.clone(), *first));
                    }
                    _ => {}
                }
            }
            if take.is_none() && choose {
                self.chose |= choice.is_some();
                take = choice;
            }
            let (because, id) = take?;
            self.taken.push((id, because));
            for need in needs(self.world, id) {
                self.needs.push((Because::Package(id, group_text(&need.group)), need));
            }
        }
    }

    /// What keeps a package from being taken: a taken one, and in which words.
    fn obstacle(&self, id: PackageId) -> Option<(PackageId, String)> {
        let package = self.world.get(id);
        if let Some((_, need)) = self.dead.found.get(&id) {
            let who = shown(self.world, id);
            let words = match need {
                Some(need) => format!("{who} depends on {}, which cannot be had", group_text(&need.group)),
                None => format!("the stanza of {who} cannot be read"),
            };
            return Some((id, words));
        }
        for other in self.taken.iter().map(|(other, _)| *other) {
            if self.world.get(other).name == package.name {
                let (one, two) = (shown(self.world, id), shown(self.world, other));
                return Some((other, format!("{one} and {two} cannot both be installed")));
            }
            for (from, to) in [(id, other), (other, id)] {
                let rivals = self.world.rivals(from).unwrap_or_default();
                if let Some(rivalry) = rivals.iter().find(|rivalry| rivalry.packages.contains(&to)) {
                    let (from, relation) = (shown(self.world, from), &rivalry.relation);
                    let to_name = &self.world.get(to).name;
                    let provided = match *to_name == relation.name {
                        true => String::new(),
                        false => format!(", which {to_name} provides"),
                    };
                    return Some((other, format!("{from} {} {relation}{provided}", rivalry.verb)));
                }
            }
        }
        None
    }

    fn because(&self, id: PackageId) -> Option<&Because> {
        self.taken.iter().find(|(taken, _)| *taken == id).map(|(_, because)| because)
    }

    fn trouble(&self, because: &Because, need: &Need) -> Trouble {
        let mut chain = match because {
            Because::Wish(origin) => need
                .options
                .first()
                .map(|id| format!("{} is wanted by {origin}", shown(self.world, *id)))
                .into_iter()
                .collect(),
            Because::Package(id, group) => self.chain(*id, Some(group)),
        };
        let mut what = Vec::new();
        let mut told: BTreeSet<PackageId> = BTreeSet::new();
        for option in &need.options {
            let Some((other, words)) = self.obstacle(*option) else { continue };
            what.push(words);
            if told.insert(other) {
                let mut steps = self.chain(other, None);
                steps.retain(|step| !chain.contains(step));
                chain.extend(steps);
            }
        }
        what.dedup();
        if self.chose {
            chain.push("and every other choice fails as well".to_owned());
        }
        let help = "drop one of these wishes, or leave a package out with a [[without]] and its reason";
        Trouble { what: what.join("; "), chain, help: vec![help.to_owned()] }
    }

    /// The steps from a wish to a package, and on to what that one depends on.
    fn chain(&self, id: PackageId, group: Option<&str>) -> Vec<String> {
        let mut steps = Vec::new();
        let (mut id, mut group) = (id, group.map(str::to_owned));
        loop {
            let who = shown(self.world, id);
            let because = self.because(id);
            steps.extend(match (because, &group) {
                (Some(Because::Wish(origin)), Some(group)) => {
                    Some(format!("{who} (wanted by {origin}) depends on {group}"))
                }
                (Some(Because::Wish(origin)), None) => Some(format!("{who} is wanted by {origin}")),
                (_, Some(group)) => Some(format!("{who} depends on {group}")),
                // The step before names it, unless there was a choice.
                (Some(Because::Package(_, text)), None) => {
                    (text.split(' ').next() != Some(&self.world.get(id).name) || text.contains('|'))
                        .then(|| format!("{who} serves for it"))
                }
                (None, None) => None,
            });
            match because {
                Some(Because::Package(parent, text)) => (id, group) = (*parent, Some(text.clone())),
                _ => break,
            }
        }
        steps.reverse();
        steps
    }
}
