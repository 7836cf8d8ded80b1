use std::collections::BTreeSet;
use std::fmt::Write as _;

use geminios_model::TreePath;

use crate::accounts::Accounts;
use crate::error::ComposeError;
use crate::tree::{Entry, Tree};

/// Checks that every user and group that packages declare in sysusers.d(5) has a frozen number in the image.
/// systemd-sysusers cannot add one on the device: /etc is read-only there.
///
/// # Errors
/// The first file that names one without, with lines to add to an overlay.
pub(crate) fn check(tree: &Tree, accounts: &Accounts) -> Result<(), ComposeError> {
    let folder = TreePath::new("/usr/lib/sysusers.d")?;
    for (path, entry) in tree.children(&folder) {
        let Some(content) = entry.content().filter(|_| path.name().ends_with(".conf")) else { continue };
        let text = content.read().map_err(ComposeError::io(path))?;
        let missing = missing(&String::from_utf8_lossy(&text), accounts);
        if !missing.is_empty() {
            return Err(undeclared(path, entry, &missing));
        }
    }
    Ok(())
}

/// `(user | group, name)`.
fn missing(text: &str, accounts: &Accounts) -> BTreeSet<(&'static str, String)> {
    let mut out = BTreeSet::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(kind), Some(name)) = (words.next(), words.next()) else { continue };
        match kind {
            "u" | "u!" if !accounts.has_user(name) => out.insert(("user", name.to_owned())),
            "g" if !accounts.has_group(name) => out.insert(("group", name.to_owned())),
            "m" => {
                if !accounts.has_user(name) {
                    out.insert(("user", name.to_owned()));
                }
                match words.next() {
                    Some(group) if !accounts.has_group(group) => out.insert(("group", group.to_owned())),
                    _ => false,
                }
            }
            _ => false,
        };
    }
    out
}

fn undeclared(path: &TreePath, entry: &Entry, missing: &BTreeSet<(&'static str, String)>) -> ComposeError {
    let mut stanza = String::new();
    for (kind, name) in missing {
        let number = if *kind == "user" { "uid" } else { "gid" };
        let _ = write!(stanza, "    [[{kind}]]\n    name = \"{name}\"\n    {number} = …\n");
    }
    let names: Vec<String> = missing.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
    ComposeError::Undeclared {
        file: path.clone(),
        owner: entry.owner.clone(),
        names: names.join(", "),
        stanza: stanza.trim_end().to_owned(),
    }
}
