use std::collections::BTreeMap;

use anyhow::{Result, bail};
use geminios_release::keys::{self, Keys, Place, RoleName};
use geminios_release::{Lifetimes, Repository};
use serde::Serialize;

use crate::args::release::{Keys as Args, KeysInit, KeysRotate, KeysVerb};
use crate::report::{self, Report, table};
use crate::session::{Session, now};

const DAY: u64 = 86_400;

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
    keys::init(&args.dir, &roles, now()?, args.days * DAY)?;
    let dir = args.dir.display();
    session.terminal.say(&format!(
        "{dir} has new keys and the root of trust, 1.root.json.\n\
         Into images: in the profile, [update] root = \"1.root.json\", with that file beside the profile.\n\
         Keep root-*.pem and targets-*.pem where no network is. Who loses the root keys can never change keys again."
    ));
    report::print(&Listed::of(&args.dir)?, session.global.format)
}

fn rotate(session: &Session, args: &KeysRotate) -> Result<()> {
    for role in &args.role {
        keys::renew(&args.dir, *role)?;
    }
    if let Some(repo) = &args.repo {
        let keys = Keys::open(&args.dir)?;
        let thresholds = args.threshold.iter().copied().collect();
        let rotated = Repository::open(repo)?.rotate(&keys, &thresholds, now()?, &Lifetimes::default())?;
        session.terminal.say(&match rotated.new {
            true => format!(
                "{} has root {}; devices learn of it with their next check",
                repo.display(),
                rotated.root
            ),
            false => format!("{} names these keys already, in root {}", repo.display(), rotated.root),
        });
    } else if !args.role.is_empty() {
        session
            .terminal
            .say("the keys are new in their folder only: give --repo for each repository that they sign");
    }
    report::print(&Listed::of(&args.dir)?, session.global.format)
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
    fn of(dir: &std::path::Path) -> Result<Self> {
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
