use std::collections::BTreeSet;

use geminios_model::{Located, TreePath};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::ComposeError;
use crate::rootfs::OverlaySource;
use crate::tree::Tree;

/// Leaves out what the overlays' [[prune]] name, and the folders that are empty for it.
/// To be done before overlays are laid: only files of packages are pruned.
///
/// # Errors
/// A prune or a keep that matches nothing.
pub(crate) fn prune(tree: &mut Tree, overlays: &[OverlaySource]) -> Result<(), ComposeError> {
    let mut patterns = Vec::new();
    for source in overlays {
        for prune in &source.overlay.prunes {
            patterns.push(Pattern {
                source,
                at: &prune.path,
                keep: Keep::new(source, &prune.keep)?,
                found: false,
            });
        }
    }
    let set = glob_set(patterns.iter().map(|pattern| (pattern.source, pattern.at)))?;
    let mut gone = BTreeSet::new();
    for (path, entry) in tree.iter() {
        for index in set.matches(path.as_str()) {
            let pattern = &mut patterns[index];
            if pattern.keep.keeps(path) {
                continue;
            }
            // A folder goes when nothing is left in it; `/x/**` matches the folders below x too.
            pattern.found |= !entry.is_directory() || tree.children(path).next().is_none();
            gone.insert(path.clone());
        }
    }
    for pattern in &patterns {
        pattern.check()?;
    }
    remove(tree, &gone);
    Ok(())
}

struct Pattern<'a> {
    source: &'a OverlaySource,
    at: &'a Located<String>,
    keep: Keep<'a>,
    /// Whether it matched something that can go.
    found: bool,
}

impl Pattern<'_> {
    fn check(&self) -> Result<(), ComposeError> {
        let complain = |at: &Located<String>, message| self.source.source.complain(at.span(), message);
        if !self.found {
            return Err(complain(self.at, format!("no package brings anything that `{}` matches", self.at))
                .label("this [[prune]] prunes nothing")
                .help("mend it or remove it; `*` stays within a name, `**` crosses folders, a folder's content is `/folder/**`")
                .into());
        }
        match self.keep.unused() {
            Some(at) => Err(complain(at, format!("nothing that would be pruned matches `{at}`"))
                .label("this keeps nothing")
                .help("mend it or remove it")
                .into()),
            None => Ok(()),
        }
    }
}

struct Keep<'a> {
    set: GlobSet,
    globs: &'a [Located<String>],
    used: Vec<bool>,
}

impl<'a> Keep<'a> {
    fn new(source: &OverlaySource, globs: &'a [Located<String>]) -> Result<Self, ComposeError> {
        let set = glob_set(globs.iter().map(|at| (source, at)))?;
        Ok(Keep { set, globs, used: vec![false; globs.len()] })
    }

    fn keeps(&mut self, path: &TreePath) -> bool {
        let matches = self.set.matches(path.as_str());
        matches.iter().for_each(|i| self.used[*i] = true);
        !matches.is_empty()
    }

    fn unused(&self) -> Option<&'a Located<String>> {
        self.used.iter().position(|used| !used).map(|i| &self.globs[i])
    }
}

fn glob_set<'a>(
    globs: impl Iterator<Item = (&'a OverlaySource, &'a Located<String>)>,
) -> Result<GlobSet, ComposeError> {
    let mut set = GlobSetBuilder::new();
    for (source, at) in globs {
        let bad = |error: globset::Error| {
            source.source.complain(at.span(), format!("`{at}` is not a glob")).label(error.to_string())
        };
        set.add(GlobBuilder::new(at).literal_separator(true).build().map_err(bad)?);
    }
    let bad = |error: globset::Error| ComposeError::Malformed {
        path: "the globs of [[prune]]".into(),
        why: error.to_string(),
    };
    set.build().map_err(bad)
}

fn remove(tree: &mut Tree, gone: &BTreeSet<TreePath>) {
    // From the deepest up, so that a folder is looked at after what is in it.
    let mut emptied = BTreeSet::new();
    for path in gone.iter().rev() {
        let folder = tree.get(path).is_some_and(|entry| entry.is_directory());
        if folder && tree.children(path).next().is_some() {
            continue;
        }
        tree.remove(path);
        emptied.extend(path.parent());
    }
    for folder in emptied {
        let mut at = Some(folder);
        while let Some(path) = at.filter(|path| path.as_str() != "/" && tree.children(path).next().is_none())
        {
            tree.remove(&path);
            at = path.parent();
        }
    }
}
