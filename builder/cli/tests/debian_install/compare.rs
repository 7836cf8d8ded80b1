use std::collections::BTreeSet;
use std::fmt;

use crate::accounts::Accounts;
use crate::contents::{Entry, Node};
use crate::tree::Tree;

/// One difference between two trees. A path may have several.
pub struct Difference {
    pub path: String,
    pub kind: &'static str,
    /// What is here and what is there.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` | {} | {}", self.path, self.kind, self.detail)
    }
}

/// All differences, in the order of paths: `missing` here, `added` here, another `kind`, `mode`, `owner`, `target`,
/// `content` or `attributes`, a link that leads `nowhere` here and somewhere there. Times are not compared: those of an installation are the time of day.
pub fn compare(ours: &Tree, theirs: &Tree) -> Vec<Difference> {
    let mut differences = Vec::new();
    let paths: BTreeSet<&String> = ours.entries.keys().chain(theirs.entries.keys()).collect();
    for path in paths {
        let mut add = |kind, detail: String| {
            differences.push(Difference { path: path.clone(), kind, detail });
        };
        if ours.target(path).is_some()
            && !ours.leads(path)
            && theirs.target(path).is_some()
            && theirs.leads(path)
        {
            add("nowhere", format!("to {}", ours.follow(path)));
        }
        match (ours.entries.get(path), theirs.entries.get(path)) {
            (Some(here), Some(there)) => {
                for (kind, here, there) in aspects(path, (ours, here), (theirs, there)) {
                    if here != there {
                        add(kind, format!("{here}; there {there}"));
                    }
                }
            }
            (Some(here), None) => add("added", shown(ours, here)),
            (None, Some(there)) => add("missing", shown(theirs, there)),
            (None, None) => {}
        }
    }
    differences.extend(accounts(&ours.accounts, &theirs.accounts));
    differences
}

fn aspects(
    path: &str,
    (ours, here): (&Tree, &Entry),
    (theirs, there): (&Tree, &Entry),
) -> Vec<(&'static str, String, String)> {
    if kind(here) != kind(there) {
        return vec![("kind", shown(ours, here), shown(theirs, there))];
    }
    let what = match &here.node {
        Node::Symlink { .. } => "target",
        _ => "content",
    };
    let mut aspects = vec![("owner", owner(ours, here), owner(theirs, there))];
    // Every link has the same mode.
    if what == "content" {
        aspects.push(("mode", here.mode.clone(), there.mode.clone()));
    }
    // Those are compared line by line.
    if !Accounts::FILES.contains(&path) {
        aspects.push((what, here.node.suffix(), there.node.suffix()));
    }
    let attributes = |tree: &Tree| tree.attributes.get(path).cloned().unwrap_or_default();
    aspects.push(("attributes", attributes(ours), attributes(theirs)));
    aspects
}

fn kind(entry: &Entry) -> &'static str {
    match entry.node {
        Node::Directory => "folder",
        Node::File { .. } => "file",
        Node::Symlink { .. } => "link",
        Node::Other => "special",
    }
}

fn owner(tree: &Tree, entry: &Entry) -> String {
    format!("{}:{}", tree.accounts.user(entry.uid), tree.accounts.group(entry.gid))
}

fn shown(tree: &Tree, entry: &Entry) -> String {
    format!("{} {} {}{}", kind(entry), entry.mode, owner(tree, entry), entry.node.suffix())
}

/// Users and groups, under names such as `/etc/passwd:postgres`.
fn accounts(ours: &Accounts, theirs: &Accounts) -> Vec<Difference> {
    let paths: BTreeSet<&String> = ours.lines.keys().chain(theirs.lines.keys()).collect();
    let difference = |path: &String| {
        let (kind, detail) = match (ours.lines.get(path), theirs.lines.get(path)) {
            (Some(here), None) => ("added", here.clone()),
            (None, Some(there)) => ("missing", there.clone()),
            (Some(here), Some(there)) if here != there => ("content", format!("{here}; there {there}")),
            _ => return None,
        };
        Some(Difference { path: path.clone(), kind, detail })
    };
    paths.into_iter().filter_map(difference).collect()
}
