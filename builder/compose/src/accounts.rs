use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use geminios_model::{Located, TreePath};

use crate::error::ComposeError;
use crate::rootfs::OverlaySource;
use crate::tree::{Entry, Owner, Tree};

const OWNER: Owner = Owner::Fixup("accounts");
/// base-passwd's number for the group that may read shadow files.
const SHADOW: u32 = 42;
/// The day of the last password change, counted from 1970. Fixed, and before what any device's clock says:
/// pam_unix warns about passwords changed in the future.
const LAST_CHANGE: u32 = 1;

/// Users and groups of the image.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    users: BTreeMap<String, PasswdLine>,
    groups: BTreeMap<String, GroupLine>,
}

#[derive(Clone, Debug)]
struct PasswdLine {
    uid: u32,
    gid: u32,
    comment: String,
    home: String,
    shell: String,
    from: String,
}

#[derive(Clone, Debug)]
struct GroupLine {
    gid: u32,
    members: BTreeSet<String>,
    from: String,
}

impl Accounts {
    /// base-passwd's users and groups with those of the overlays.
    ///
    /// # Errors
    /// No base-passwd in the tree; a name or number that is taken; a group that nobody declares.
    pub(crate) fn of(tree: &Tree, overlays: &[OverlaySource]) -> Result<Self, ComposeError> {
        let mut accounts = Accounts::default();
        accounts.read_groups(&master(tree, "group.master")?)?;
        accounts.read_users(&master(tree, "passwd.master")?)?;
        // Groups first, so that a user may name one of a later overlay.
        for source in overlays {
            for group in &source.overlay.groups {
                accounts.add_group(source, &group.name, &group.gid)?;
            }
        }
        for source in overlays {
            for user in source.overlay.users.iter().filter(|user| user.group.is_none()) {
                accounts.add_group(source, &user.name, &user.uid)?;
            }
        }
        for source in overlays {
            for user in &source.overlay.users {
                accounts.add_user(source, user)?;
            }
        }
        Ok(accounts)
    }

    fn read_groups(&mut self, text: &str) -> Result<(), ComposeError> {
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let (&[name, _, _, members], Some(gid)) = (fields.as_slice(), number(&fields, 2)) else {
                return Err(malformed("group.master", line));
            };
            let members = members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect();
            let from = "package base-passwd".to_owned();
            self.groups.insert(name.to_owned(), GroupLine { gid, members, from });
        }
        Ok(())
    }

    fn read_users(&mut self, text: &str) -> Result<(), ComposeError> {
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let (Some(uid), Some(gid), &[name, _, _, _, comment, home, shell]) =
                (number(&fields, 2), number(&fields, 3), fields.as_slice())
            else {
                return Err(malformed("passwd.master", line));
            };
            let line = PasswdLine {
                uid,
                gid,
                comment: comment.to_owned(),
                home: home.to_owned(),
                shell: shell.to_owned(),
                from: "package base-passwd".to_owned(),
            };
            self.users.insert(name.to_owned(), line);
        }
        Ok(())
    }

    fn add_group(
        &mut self,
        source: &OverlaySource,
        name: &Located<String>,
        gid: &Located<u32>,
    ) -> Result<(), ComposeError> {
        check_name(source, name)?;
        if let Some(there) = self.groups.get(&**name) {
            return Err(taken(source, name.span(), format!("group `{name}`"), &there.from));
        }
        if let Some((other, there)) = self.groups.iter().find(|(_, g)| g.gid == **gid) {
            return Err(taken(
                source,
                gid.span(),
                format!("gid {gid}"),
                &format!("group `{other}` of {}", there.from),
            ));
        }
        let from = source.place_at(name.span());
        self.groups.insert(name.to_string(), GroupLine { gid: **gid, members: BTreeSet::new(), from });
        Ok(())
    }

    fn add_user(&mut self, source: &OverlaySource, user: &geminios_model::User) -> Result<(), ComposeError> {
        check_name(source, &user.name)?;
        for (key, value) in [("home", &user.home), ("shell", &user.shell), ("comment", &user.comment)] {
            if value.contains([':', '\n', '\0']) {
                let message = format!("{key} of user `{}` holds a `:` or a line break", user.name);
                return Err(source
                    .source
                    .complain(user.name.span(), message)
                    .help("passwd(5) has no way to write it")
                    .into());
            }
        }
        if let Some(there) = self.users.get(&*user.name) {
            return Err(taken(source, user.name.span(), format!("user `{}`", user.name), &there.from));
        }
        if let Some((other, there)) = self.users.iter().find(|(_, u)| u.uid == *user.uid) {
            let whose = format!("user `{other}` of {}", there.from);
            return Err(taken(source, user.uid.span(), format!("uid {}", user.uid), &whose));
        }
        let primary = user.group.as_deref().unwrap_or(&user.name);
        let gid = self.group(source, &user.name, primary)?.gid;
        for group in &user.groups {
            self.group(source, &user.name, group)?.members.insert(user.name.to_string());
        }
        let line = PasswdLine {
            uid: *user.uid,
            gid,
            comment: user.comment.clone(),
            home: user.home.clone(),
            shell: user.shell.clone(),
            from: source.place_at(user.name.span()),
        };
        self.users.insert(user.name.to_string(), line);
        Ok(())
    }

    fn group(
        &mut self,
        source: &OverlaySource,
        at: &Located<String>,
        name: &str,
    ) -> Result<&mut GroupLine, ComposeError> {
        self.groups.get_mut(name).ok_or_else(|| nobody_declares(source, at.span(), "group", name))
    }

    /// The numbers of a user and a group that a line of an overlay names.
    ///
    /// # Errors
    /// Nobody declares one of them.
    pub(crate) fn ids(
        &self,
        source: &OverlaySource,
        at: &Located<TreePath>,
        user: &str,
        group: &str,
    ) -> Result<(u32, u32), ComposeError> {
        let uid = self.users.get(user).map(|line| line.uid);
        let gid = self.groups.get(group).map(|line| line.gid);
        Ok((
            uid.ok_or_else(|| nobody_declares(source, at.span(), "user", user))?,
            gid.ok_or_else(|| nobody_declares(source, at.span(), "group", group))?,
        ))
    }

    /// The name of a user's number.
    pub(crate) fn user_name(&self, uid: u32) -> Option<&str> {
        self.users.iter().find(|(_, line)| line.uid == uid).map(|(name, _)| name.as_str())
    }

    /// The name of a group's number.
    pub(crate) fn group_name(&self, gid: u32) -> Option<&str> {
        self.groups.iter().find(|(_, line)| line.gid == gid).map(|(name, _)| name.as_str())
    }

    pub(crate) fn has_user(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }

    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// Writes passwd, group, shadow and gshadow, sorted by number. No account has a password.
    pub(crate) fn write(&self, tree: &mut Tree, mtime: u64) -> Result<(), ComposeError> {
        let mut users: Vec<_> = self.users.iter().collect();
        users.sort_by_key(|(name, line)| (line.uid, *name));
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(name, line)| (line.gid, *name));
        let [mut passwd, mut shadow, mut group, mut gshadow] = [const { String::new() }; 4];
        for (name, u) in users {
            let _ = writeln!(passwd, "{name}:x:{}:{}:{}:{}:{}", u.uid, u.gid, u.comment, u.home, u.shell);
            let _ = writeln!(shadow, "{name}:*:{LAST_CHANGE}:0:99999:7:::");
        }
        for (name, g) in groups {
            let members = g.members.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            let _ = writeln!(group, "{name}:x:{}:{members}", g.gid);
            let _ = writeln!(gshadow, "{name}:*::{members}");
        }
        let files = [
            ("passwd", passwd, false),
            ("group", group, false),
            ("shadow", shadow, true),
            ("gshadow", gshadow, true),
        ];
        for (name, text, secret) in files {
            let path = TreePath::new(&format!("/etc/{name}"))?;
            tree.make_parents(&path, &OWNER, mtime)?;
            let mut entry = Entry::file(text, OWNER, mtime);
            if secret {
                (entry.mode, entry.gid) = (0o640, SHADOW);
            }
            tree.insert(path, entry)?;
        }
        Ok(())
    }
}

fn master(tree: &Tree, name: &str) -> Result<String, ComposeError> {
    let path = TreePath::new(&format!("/usr/share/base-passwd/{name}"))?;
    let content = tree.get(&path).and_then(Entry::content).ok_or_else(|| ComposeError::Missing {
        what: "users and groups",
        looked: format!("looked for {path}"),
        help: "add package base-passwd to an overlay, and prune its files no sooner than fix-ups have run",
    })?;
    let bytes = content.read().map_err(ComposeError::io(&path))?;
    String::from_utf8(bytes).map_err(|_| malformed(name, "not UTF-8"))
}

fn number(fields: &[&str], at: usize) -> Option<u32> {
    fields.get(at)?.parse().ok()
}

fn malformed(name: &str, line: &str) -> ComposeError {
    ComposeError::Malformed {
        path: format!("/usr/share/base-passwd/{name}"),
        why: format!("`{}` is not a line of it", line.escape_debug()),
    }
}

/// As useradd(8) and systemd accept them.
fn check_name(source: &OverlaySource, name: &Located<String>) -> Result<(), ComposeError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts && name.len() <= 31 && name.chars().all(plain) {
        return Ok(());
    }
    let help = "use a lower-case letter or `_`, then lower-case letters, digits, `_`, `-`; at most 31";
    Err(source.source.complain(name.span(), format!("`{name}` is no name for an account")).help(help).into())
}

fn taken(source: &OverlaySource, span: Range<usize>, what: String, by: &str) -> ComposeError {
    source
        .source
        .complain(span, format!("{what} is taken"))
        .label(format!("by {by}"))
        .help("choose another; numbers stay as they are once an image has shipped")
        .into()
}

fn nobody_declares(source: &OverlaySource, span: Range<usize>, what: &str, name: &str) -> ComposeError {
    source
        .source
        .complain(span, format!("nobody declares {what} `{name}`"))
        .help(format!(
            "add a [[{what}]] with name = \"{name}\" and a free number to an overlay of this profile"
        ))
        .into()
}
