use std::collections::{BTreeMap, BTreeSet};

use geminios_model::{Lock, Overlay, Profile, ProgramPlace, parse};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::compare::Difference;
use crate::tree::Tree;
use crate::{project, read};

/// Why a path differs, by what the overlays declare, each with its reason.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    LeftOut,
    Pruned,
    Placed,
    Built,
    Owner,
    Alternative,
    Unit,
}

impl Class {
    pub fn name(self) -> &'static str {
        match self {
            Class::LeftOut => "of packages left out ([[without]])",
            Class::Pruned => "pruned ([[prune]])",
            Class::Placed => "placed by an overlay (rootfs, [[directory]], [[link]], [[replace]])",
            Class::Built => "compiled or packed by the builder ([[program]], [[image]])",
            Class::Owner => "declared owner or mode ([[owner]])",
            Class::Alternative => "alternatives, one link instead of two ([[alternative]])",
            Class::Unit => "units enabled or masked ([units])",
        }
    }
}

type Classes = BTreeMap<String, Class>;

/// What the profile's overlays declare, and which package each path there is of.
pub struct Declarations<'a> {
    overlays: Vec<Overlay>,
    lock: &'a Lock,
    /// Paths of rootfs folders and their folders, [[directory]] and [[link]].
    placed: BTreeSet<String>,
    /// Paths of [[program]] in the root and of [[image]].
    built: BTreeSet<String>,
    prunes: Vec<(GlobSet, GlobSet)>,
    packages: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Declarations<'a> {
    pub fn new(profile: &Profile, lock: &'a Lock, theirs: &Tree) -> Self {
        let folder = |name: &str| project::folder().join("overlays").join(name);
        let (mut placed, mut built) = (BTreeSet::new(), BTreeSet::new());
        let mut overlays = Vec::new();
        for name in &profile.overlays {
            let overlay: Overlay = parse(&read(&folder(name).join("overlay.toml"))).unwrap();
            rootfs(&folder(name).join("rootfs"), "", &mut placed);
            placed.extend(overlay.directories.iter().map(|d| d.path.to_string()));
            placed.extend(overlay.links.iter().map(|link| link.path.to_string()));
            let programs = overlay.programs.iter().filter(|program| program.place == ProgramPlace::Root);
            built.extend(programs.map(|program| program.path.to_string()));
            let images = overlay.images.iter().map(|image| image.name.file());
            built.extend(images.map(|name| format!("/usr/share/geminios/images/{name}")));
            overlays.push(overlay);
        }
        let prunes = overlays.iter().flat_map(|overlay| &overlay.prunes);
        let prunes = prunes
            .map(|p| (globs(vec![p.path.as_str()]), globs(p.keep.iter().map(|k| k.as_str()).collect())));
        Declarations { prunes: prunes.collect(), overlays, lock, placed, built, packages: packages(theirs) }
    }

    /// Every difference with its class, if a declaration explains it. What holds for all that is in a folder, or for what
    /// a link leads to, holds for the folder and the link.
    pub fn sort(
        &self,
        differences: Vec<Difference>,
        ours: &Tree,
        theirs: &Tree,
    ) -> Vec<(Difference, Option<Class>)> {
        let mut sorted: Vec<_> = differences.into_iter().map(|d| (self.class(&d, ours, theirs), d)).collect();
        let mut gone = Classes::new();
        let mut added = Classes::new();
        for _ in 0..2 {
            // From the deepest up, so that a folder comes after what is in it; twice, for links to such a folder.
            for (class, difference) in sorted.iter_mut().rev() {
                let (tree, classes) = match difference.kind {
                    "missing" => (theirs, &mut gone),
                    "added" => (ours, &mut added),
                    _ => continue,
                };
                let path = &difference.path;
                let target = || classes.get(&tree.follow(path)).copied();
                *class = class
                    .or_else(|| emptied(path, tree, classes))
                    .or_else(|| tree.target(path).and_then(|_| target()));
                classes.extend(class.map(|class| (path.clone(), class)));
            }
        }
        sorted.into_iter().map(|(class, difference)| (difference, class)).collect()
    }

    fn class(&self, difference: &Difference, ours: &Tree, theirs: &Tree) -> Option<Class> {
        let path = difference.path.as_str();
        let class = match difference.kind {
            "missing" if self.is_left_out(path) => Class::LeftOut,
            "missing" if self.is_pruned(path) => Class::Pruned,
            "missing" if self.is_choice(path, theirs) => Class::Alternative,
            "added" if self.placed.contains(path) => Class::Placed,
            "added" if self.built.contains(path) => Class::Built,
            "added" if self.is_unit(path, ours) => Class::Unit,
            "mode" | "owner" if self.has_owner(path) => Class::Owner,
            "target" if self.is_alternative(path, theirs) => Class::Alternative,
            "kind" | "content" | "target" if self.is_replaced(path) => Class::Placed,
            "content" | "target" if self.placed.contains(path) && self.is_left_out(path) => Class::Placed,
            _ => return None,
        };
        Some(class)
    }

    /// All packages that bring it are left out.
    fn is_left_out(&self, path: &str) -> bool {
        let locked = |name: &String| self.lock.set("image").any(|package| package.name == *name);
        self.packages.get(path).is_some_and(|packages| !packages.iter().any(locked))
    }

    fn is_pruned(&self, path: &str) -> bool {
        self.prunes.iter().any(|(prune, keep)| prune.is_match(path) && !keep.is_match(path))
    }

    fn is_replaced(&self, path: &str) -> bool {
        self.overlays
            .iter()
            .flat_map(|overlay| &overlay.replaces)
            .any(|replace| replace.path.as_str() == path)
    }

    fn has_owner(&self, path: &str) -> bool {
        self.overlays.iter().flat_map(|overlay| &overlay.owners).any(|owner| owner.path.as_str() == path)
    }

    /// The same choice as there, where it takes two links.
    fn is_alternative(&self, path: &str, theirs: &Tree) -> bool {
        let choice = theirs.target(path).and_then(|link| theirs.target(link));
        let mut declared = self.overlays.iter().flat_map(|overlay| &overlay.alternatives);
        declared.any(|a| a.link.as_str() == path && Some(a.path.as_str()) == choice)
    }

    /// The link in /etc/alternatives of such a choice.
    fn is_choice(&self, path: &str, theirs: &Tree) -> bool {
        let mut declared = self.overlays.iter().flat_map(|overlay| &overlay.alternatives);
        declared.any(|a| {
            theirs.target(a.link.as_str()) == Some(path) && theirs.target(path) == Some(a.path.as_str())
        })
    }

    fn is_unit(&self, path: &str, ours: &Tree) -> bool {
        let Some(target) = ours.target(path).filter(|_| path.starts_with("/etc/systemd/system/")) else {
            return false;
        };
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        self.overlays.iter().map(|overlay| &overlay.units).any(|units| match target {
            "/dev/null" => units.mask.iter().any(|unit| **unit == name(path)),
            _ => units.enable.iter().chain(&units.default).any(|unit| **unit == name(target)),
        })
    }

    /// There is every package of the lock in its version, and beside them only what a package that is left out needs.
    pub fn check_packages(&self, theirs: &Tree) {
        let status = Status::parse(&theirs.texts["/var/lib/dpkg/status"]);
        for package in self.lock.set("image") {
            let version = status.versions.get(&package.name);
            assert_eq!(version, Some(&package.version), "{}", package.name);
        }
        let withouts = self.overlays.iter().flat_map(|overlay| &overlay.withouts);
        let mut needed: BTreeSet<String> = BTreeSet::new();
        let mut open: Vec<String> = withouts.map(|without| without.package.to_string()).collect();
        while let Some(name) = open.pop() {
            if needed.insert(name.clone()) {
                open.extend(status.needs.get(&name).into_iter().flatten().cloned());
            }
        }
        let locked: BTreeSet<&String> = self.lock.set("image").map(|package| &package.name).collect();
        let beside = status.versions.keys().filter(|name| !locked.contains(name));
        let unexplained: Vec<_> = beside.filter(|name| !needed.contains(*name)).collect();
        assert!(unexplained.is_empty(), "neither in the lock nor needed by a [[without]]: {unexplained:?}");
    }
}

/// What dpkg's status file says of installed packages.
struct Status {
    versions: BTreeMap<String, String>,
    /// Names in Depends and Pre-Depends.
    needs: BTreeMap<String, Vec<String>>,
}

impl Status {
    fn parse(text: &str) -> Status {
        let mut status = Status { versions: BTreeMap::new(), needs: BTreeMap::new() };
        for stanza in text.split("\n\n").filter(|stanza| !stanza.trim().is_empty()) {
            let field = |key: &str| {
                stanza.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).unwrap_or_default()
            };
            let name = field("Package").to_owned();
            assert_eq!(field("Status"), "install ok installed", "{name}");
            let relations = [field("Pre-Depends"), field("Depends")];
            let words = relations.iter().flat_map(|relation| relation.split([',', '|']));
            let names =
                words.map(|word| word.trim().split([' ', ':', '(']).next().unwrap_or_default().to_owned());
            status.needs.insert(name.clone(), names.collect());
            status.versions.insert(name, field("Version").to_owned());
        }
        status
    }
}

/// The packages of each path, by dpkg's lists.
fn packages(theirs: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (list, text) in &theirs.texts {
        let Some(name) = list.strip_prefix("/var/lib/dpkg/info/").and_then(|name| name.strip_suffix(".list"))
        else {
            continue;
        };
        let name = name.split(':').next().unwrap_or_default();
        for path in text.lines() {
            packages.entry(theirs.real(path)).or_default().insert(name.to_owned());
        }
    }
    packages
}

/// What is in a folder, if all of it has a class: the class of the first of it.
fn emptied(path: &str, tree: &Tree, classes: &Classes) -> Option<Class> {
    let inside = format!("{path}/");
    let mut inside = tree
        .entries
        .range(inside.clone()..)
        .map(|(path, _)| path)
        .take_while(|path| path.starts_with(&inside))
        .peekable();
    let class = *classes.get(*inside.peek()?)?;
    inside.all(|path| classes.contains_key(path)).then_some(class)
}

fn rootfs(dir: &std::path::Path, at: &str, placed: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = format!("{at}/{}", entry.file_name().to_str().unwrap());
        rootfs(&entry.path(), &path, placed);
        placed.insert(path);
    }
}

fn globs(globs: Vec<&str>) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).literal_separator(true).build().unwrap());
    }
    set.build().unwrap()
}
