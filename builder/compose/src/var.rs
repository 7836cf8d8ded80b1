use std::collections::BTreeSet;
use std::fmt::Write as _;

use geminios_model::TreePath;

use crate::accounts::Accounts;
use crate::error::ComposeError;
use crate::tree::{Entry, Node, Owner, Tree};

const SNIPPET: &str = "/usr/lib/tmpfiles.d/geminios-var.conf";

/// Empties /var: on the device a file system of its own is mounted there. What packages and overlays ship below it is
/// made at boot by tmpfiles.d(5): folders and links from lines of one snippet, files copied from /usr/share/factory.
///
/// # Errors
/// Something stands where the factory copies go.
pub(crate) fn to_tmpfiles(tree: &mut Tree, accounts: &Accounts, epoch: u64) -> Result<(), ComposeError> {
    let var = TreePath::new("/var")?;
    let declared = declared(tree)?;
    let below: Vec<(TreePath, Entry)> =
        tree.below(&var).filter(|(path, _)| **path != var).map(|(p, e)| (p.clone(), e.clone())).collect();
    let mut snippet =
        "# What packages and overlays ship below /var, made anew where it is missing.\n".to_owned();
    for (path, entry) in &below {
        if !declared.contains(path.as_str()) {
            line(&mut snippet, path, entry, accounts);
        }
        if matches!(entry.node, Node::File(_)) && !declared.contains(path.as_str()) {
            let copy = TreePath::new(&format!("/usr/share/factory{path}"))?;
            tree.make_parents(&copy, &Owner::Fixup("var"), epoch)?;
            tree.insert(copy, entry.clone())?;
        }
    }
    // Units with PrivateTmp= that start before /var is mounted need this one.
    let early = TreePath::new("/var/tmp")?;
    for (path, _) in below.iter().filter(|(path, _)| *path != early) {
        tree.remove(path);
    }
    let path = TreePath::new(SNIPPET)?;
    tree.make_parents(&path, &Owner::Fixup("var"), epoch)?;
    tree.insert(path, Entry::file(snippet, Owner::Fixup("var"), epoch))
}

fn line(snippet: &mut String, path: &TreePath, entry: &Entry, accounts: &Accounts) {
    let user = accounts.user_name(entry.uid).map_or_else(|| entry.uid.to_string(), str::to_owned);
    let group = accounts.group_name(entry.gid).map_or_else(|| entry.gid.to_string(), str::to_owned);
    let (path, mode) = (escape(path.as_str()), entry.mode);
    let _ = match &entry.node {
        Node::Directory => writeln!(snippet, "d {path} {mode:04o} {user} {group} -"),
        // Without an argument the source is the same path below /usr/share/factory.
        Node::File(_) => writeln!(snippet, "C {path} {mode:04o} {user} {group} -"),
        Node::Symlink(target) => writeln!(snippet, "L {path} - - - - {}", escape(target)),
    };
}

/// `%` begins a specifier, white space ends a field.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "%%").replace(' ', "\\x20").replace('\t', "\\x09")
}

/// Paths that the tree's own tmpfiles.d files make. A second line for one of them would only be a warning at boot.
fn declared(tree: &Tree) -> Result<BTreeSet<String>, ComposeError> {
    let mut out = BTreeSet::new();
    for folder in ["/usr/lib/tmpfiles.d", "/etc/tmpfiles.d"] {
        let folder = TreePath::new(folder)?;
        for (path, entry) in tree.children(&folder) {
            let Some(content) = entry.content().filter(|_| path.name().ends_with(".conf")) else { continue };
            let text = content.read().map_err(ComposeError::io(path))?;
            for line in String::from_utf8_lossy(&text).lines() {
                let mut words = line.split_whitespace();
                let (Some(kind), Some(path)) = (words.next(), words.next()) else { continue };
                // Only the kinds that make the path itself; `z`, `a`, `x` and their like change or spare what is there.
                if kind.starts_with(['d', 'D', 'v', 'q', 'Q', 'f', 'L', 'C']) && !kind.contains('!') {
                    out.insert(path.trim_matches('"').trim_end_matches('/').to_owned());
                }
            }
        }
    }
    Ok(out)
}
