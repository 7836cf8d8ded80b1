use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use geminios_model::{Located, TreePath};

use crate::error::ComposeError;
use crate::rootfs::OverlaySource;
use crate::tools::{Job, Tools};
use crate::tree::{Entry, Node, Owner, Tree};

const OWNER: Owner = Owner::Fixup("units");
/// Where an administrator's units and all enablement stand.
const ETC: &str = "/etc/systemd/system";
/// Where packages' units stand.
const LIB: &str = "/usr/lib/systemd/system";
/// Read before any other preset: the first line that matches a unit decides.
const PRESET: &str = "/usr/lib/systemd/system-preset/00-geminios.preset";

/// The units that overlays enable, mask and boot into, checked against the units that there are.
pub(crate) struct Units<'a> {
    enable: BTreeMap<&'a str, (&'a OverlaySource, &'a Located<String>)>,
    mask: BTreeSet<&'a str>,
    default: Option<(&'a OverlaySource, &'a Located<String>)>,
}

impl<'a> Units<'a> {
    /// Collects the overlays' wishes.
    ///
    /// # Errors
    /// A unit that no package or overlay brings; one that is both enabled and masked; two default targets.
    pub(crate) fn of(tree: &Tree, overlays: &'a [OverlaySource]) -> Result<Self, ComposeError> {
        let mut units = Units { enable: BTreeMap::new(), mask: BTreeSet::new(), default: None };
        for source in overlays {
            for unit in &source.overlay.units.enable {
                must_exist(tree, source, unit, "enabled")?;
                units.enable.entry(unit.as_str()).or_insert((source, unit));
            }
            for unit in &source.overlay.units.mask {
                must_exist(tree, source, unit, "masked")?;
                units.mask.insert(unit);
            }
            if let Some(target) = &source.overlay.units.default {
                must_exist(tree, source, target, "the default")?;
                if let Some((other, at)) = units.default.replace((source, target)) {
                    return Err(source
                        .source
                        .complain(target.span(), "a second default target")
                        .label(format!("the first is `{at}` in {}", other.place_at(at.span())))
                        .help("keep one of them")
                        .into());
                }
            }
        }
        match units.enable.iter().find(|(name, _)| units.mask.contains(*name)) {
            Some((name, (source, at))) => Err(source
                .source
                .complain(at.span(), format!("unit `{name}` is both enabled and masked"))
                .help("choose one")
                .into()),
            None => Ok(units),
        }
    }

    /// Writes the preset, masks and the default target into the tree.
    pub(crate) fn write(&self, tree: &mut Tree, epoch: u64) -> Result<(), ComposeError> {
        put(tree, PRESET, Entry::file(self.preset(), OWNER, epoch))?;
        for name in &self.mask {
            put(tree, &format!("{ETC}/{name}"), Entry::symlink("/dev/null", OWNER, epoch))?;
        }
        match self.default {
            Some((_, target)) => {
                let link = Entry::symlink(format!("{LIB}/{target}"), OWNER, epoch);
                put(tree, &format!("{ETC}/default.target"), link)
            }
            None => Ok(()),
        }
    }

    /// systemd.preset(5): instances of a template stand behind its name.
    fn preset(&self) -> String {
        let mut lines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for name in self.enable.keys() {
            match instance(name) {
                Some((template, instance)) => lines.entry(template).or_default().push(instance),
                None => drop(lines.entry((*name).to_owned()).or_default()),
            }
        }
        let mut out = String::new();
        for (unit, instances) in lines {
            let _ =
                writeln!(out, "enable {unit}{}", instances.iter().fold(String::new(), |a, i| a + " " + i));
        }
        out + "disable *\n"
    }

    /// Lets `systemctl preset-all` make the links that enable units, and puts them into the tree.
    ///
    /// # Errors
    /// systemctl fails; a unit was enabled and nothing came of it.
    pub(crate) fn enable(
        &self,
        tree: &mut Tree,
        links: Vec<(TreePath, String)>,
        epoch: u64,
    ) -> Result<(), ComposeError> {
        for (name, (source, at)) in &self.enable {
            let template = instance(name).map_or_else(|| (*name).to_owned(), |(template, _)| template);
            let linked = links.iter().any(|(path, target)| {
                path.name() == *name
                    || target.rsplit('/').next().is_some_and(|file| file == *name || file == template)
            });
            if !linked {
                return Err(source
                    .source
                    .complain(at.span(), format!("to enable `{name}` does nothing"))
                    .label("the unit has no [Install] section that says what would start it")
                    .help("add one by a drop-in, or remove this line if another unit starts it")
                    .into());
            }
        }
        for (path, target) in links {
            if tree.get(&path).is_none() {
                put(tree, path.as_str(), Entry::symlink(target, OWNER, epoch))?;
            }
        }
        Ok(())
    }
}

/// The links that `systemctl preset-all` makes for the presets and units of a tree.
pub(crate) fn preset_all(tree: &Tree, tools: &Tools<'_>) -> Result<Vec<(TreePath, String)>, ComposeError> {
    let [etc, lib, preset] = [TreePath::new(ETC)?, TreePath::new(LIB)?, TreePath::new(PRESET)?];
    let wanted = |path: &TreePath, entry: &Entry| {
        let mask = matches!(&entry.node, Node::Symlink(target) if target == "/dev/null");
        *path == preset || path.is_within(&lib) || (path.is_within(&etc) && !mask)
    };
    let job = Job {
        program: "systemctl",
        arguments: &["--root={}", "preset-all"],
        wanted: &wanted,
        frame: &|_| Ok(()),
    };
    let links = tools.run(tree, &job)?.into_iter().filter_map(|(path, node)| match node {
        Node::Symlink(target) if path.is_within(&etc) => Some((path, target)),
        _ => None,
    });
    Ok(links.collect())
}

fn put(tree: &mut Tree, path: &str, entry: Entry) -> Result<(), ComposeError> {
    let path = TreePath::new(path)?;
    tree.make_parents(&path, &OWNER, entry.mtime)?;
    tree.insert(path, entry)
}

/// `getty@tty1.service` as (`getty@.service`, `tty1`); none for plain units and bare templates.
fn instance(name: &str) -> Option<(String, &str)> {
    let (stem, rest) = name.split_once('@')?;
    let (instance, suffix) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| (format!("{stem}@.{suffix}"), instance))
}

fn must_exist(
    tree: &Tree,
    source: &OverlaySource,
    unit: &Located<String>,
    what: &str,
) -> Result<(), ComposeError> {
    let template = instance(unit).map(|(template, _)| template);
    for folder in [ETC, LIB] {
        for name in [Some(unit.as_str()), template.as_deref()].into_iter().flatten() {
            if TreePath::new(&format!("{folder}/{name}")).is_ok_and(|path| tree.get(&path).is_some()) {
                return Ok(());
            }
        }
    }
    let complaint = source
        .source
        .complain(unit.span(), format!("there is no unit `{unit}`"))
        .label(format!("cannot be {what}: no package or overlay of this profile brings it"));
    Err(match nearest(tree, unit)? {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None => complaint.help("add the package that brings it, or remove this line"),
    }
    .into())
}

fn nearest(tree: &Tree, unit: &str) -> Result<Option<String>, ComposeError> {
    let [etc, lib] = [TreePath::new(ETC)?, TreePath::new(LIB)?];
    let likeness = |name: &str| strsim::jaro_winkler(name, unit);
    let near = tree.children(&lib).chain(tree.children(&etc)).map(|(path, _)| path.name());
    let near = near.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    Ok(near.filter(|name| likeness(name) > 0.9).map(str::to_owned))
}
