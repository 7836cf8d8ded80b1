use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use geminios_release::keys::{self, Keys, Place, RoleName};
use geminios_release::time::DAY;
use geminios_release::{Changes, Lifetimes, Repository};
use serde::Serialize;

use crate::args::release::{Keys as Args, KeysInit, KeysRotate, KeysVerb};
use crate::report::{self, Report, table};
use crate::session::Session;

/// Makes, replaces and lists keys.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    match &args.verb {
        KeysVerb::Init(args) => init(session, args),
        KeysVerb::Rotate(args) => rotate(session, args),
        KeysVerb::List { dir } => report::print(&Listed::of(dir)?, session.global.format),
    }
}

fn init(session: &Session, args: &KeysInit) -> Result<()> {
    let given = |list: &[(RoleName, u64)], role| list.iter().rev().find(|(r, _)| *r == role).map(|(_, n)| *n);
    let mut roles = BTreeMap::new();
    for role in RoleName::ALL {
        let count = given(&args.keys, role).unwrap_or(1);
        let threshold = given(&args.threshold, role).unwrap_or(count);
        if threshold > count {
            let name = role.as_str();
            bail!(
                "{threshold} signatures are asked of {name}, which has {count} keys\n  help: give --keys {name}={threshold}"
            );
        }
        roles.insert(role, (usize::try_from(count)?, threshold));
    }
    keys::init(&args.dir, &roles, args.clock.now()?, args.days * DAY)?;
    let dir = args.dir.display();
    session.terminal.say(&format!(
        "{dir} has new keys and the root of trust, 1.root.json.\n\
         Into images: in the profile, [update] root = \"1.root.json\", with that file beside the profile.\n\
         Keep root-*.pem and targets-*.pem where no network is. Who loses the root keys can never change keys again."
    ));
    report::print(&Listed::of(&args.dir)?, session.global.format)
}

fn rotate(session: &Session, args: &KeysRotate) -> Result<()> {
    match &args.repo {
        Some(repo) => rotate_in(session, args, &Repository::open(repo)?, repo)?,
        None if args.role.is_empty() => {
            bail!(
                "nothing is asked for\n  help: give --role for new keys, --repo to put keys into a repository"
            )
        }
        None => {
            for role in &args.role {
                keys::renew(&args.dir, *role)?;
            }
            let words =
                "the keys are new in their folder only: run this with --repo for each repository they sign";
            session.terminal.say(words);
        }
    }
    report::print(&Listed::of(&args.dir)?, session.global.format)
}

fn rotate_in(session: &Session, args: &KeysRotate, repository: &Repository, repo: &Path) -> Result<()> {
    let keys = Keys::open(&args.dir)?;
    let mut changes: Changes = args.role.iter().map(|role| (*role, None)).collect();
    if args.role.is_empty() {
        let here = keys.0.iter().filter(|key| !key.old);
        changes.extend(here.map(|key| (key.role, None)));
    }
    // Keys that the repository does not know yet were made by a run that was cut, or by hand.
    let due = repository.rotation_is_due(&keys, &changes)?;
    for role in args.role.iter().filter(|_| !due) {
        keys::renew(&args.dir, *role)?;
    }
    changes.extend(args.threshold.iter().map(|(role, number)| (*role, Some(*number))));
    let keys = Keys::open(&args.dir)?;
    let rotated = repository.rotate(&keys, &changes, args.clock.now()?, &Lifetimes::default())?;
    let (repo, root) = (repo.display(), rotated.root);
    session.terminal.say(&match rotated.new {
        true => format!("{repo} has root {root}; devices learn of it with their next check"),
        false => format!("{repo} names these keys already, in root {root}"),
    });
    Ok(())
}

#[derive(Serialize)]
struct Listed(Vec<Key>);

#[derive(Serialize)]
struct Key {
    role: &'static str,
    file: String,
    id: String,
    /// `file` or `command`.
    place: &'static str,
    /// It was replaced, and signs only the root that says so.
    old: bool,
}

impl Listed {
    fn of(dir: &Path) -> Result<Self> {
        let key = |info: keys::KeyInfo| Key {
            role: info.role.as_str(),
            file: info.path.display().to_string(),
            id: info.id.to_string(),
            place: if info.place == Place::File { "file" } else { "command" },
            old: info.old,
        };
        Ok(Listed(keys::list(dir)?.into_iter().map(key).collect()))
    }
}

impl Report for Listed {
    fn text(&self) -> String {
        let row = |key: &Key| {
            let state = if key.old { "replaced" } else { "" };
            [key.role, &key.id[..16], key.place, &key.file, state].map(str::to_owned).to_vec()
        };
        table(&self.0.iter().map(row).collect::<Vec<_>>())
    }
}
