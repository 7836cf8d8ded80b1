//! Run by the agent when the leader changes: Kine goes to the PostgreSQL that leads.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::init::note;
use crate::layout;

/// How Kine gets to the PostgreSQL that leads. [`crate::choice::KINE`] chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kine {
    /// It knows both and looks for the primary; only connections to a leader that is lost are cut. It goes on serving the API server.
    Cut,
    /// It is started again with the leader's address.
    Restart,
}

impl Kine {
    /// Of its first start, on the node whose peer has this address.
    #[must_use]
    pub fn endpoint(self, peer: &str) -> String {
        match self {
            Kine::Cut => {
                let hosts = format!("/run/postgresql,{peer}");
                format!(
                    "postgres://kine@/kine?host={hosts}&target_session_attrs=primary&connect_timeout=2&sslmode=disable"
                )
            }
            Kine::Restart => LOCAL.to_owned(),
        }
    }
}

const LOCAL: &str = "postgres://kine@/kine?host=/run/postgresql";

/// `PROGRAM lead|follow EPOCH ADDRESS`, behind how Kine follows, `cut PEER` or `restart PEER`.
///
/// # Errors
/// Wrong words; the database cannot be made; the first process does not obey.
pub fn run(words: &[&str]) -> Result<()> {
    let [how, peer, role, epoch, address] = words else {
        bail!("{words:?}: not `HOW PEER lead|follow EPOCH ADDRESS`")
    };
    let leads = *role == "lead";
    if leads && *epoch == "1" {
        make_database()?;
    }
    note(&format!("follow: {role} {epoch} {address}"));
    let remote = format!("postgres://kine@{address}:5432/kine?sslmode=disable");
    match (*how, leads) {
        ("cut", false) => Ok(()),
        // The other end may be gone without a word; what waits for it would wait for long.
        ("cut", true) => ["established", "syn-sent"].into_iter().try_for_each(|state| {
            let mut ss = Command::new("/usr/bin/ss");
            ss.args([
                "--kill",
                "--tcp",
                "--numeric",
                "--no-header",
                "state",
                state,
                "dst",
                peer,
                "dport",
                "=",
                "5432",
            ]);
            crate::command::run(&mut ss).map(drop)
        }),
        (_, true) => point(LOCAL),
        (_, false) => point(&remote),
    }
}

/// It changes nothing where both are there.
fn make_database() -> Result<()> {
    let mut psql = Command::new("/usr/bin/psql");
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        "--host=/run/postgresql",
        "--username=postgres",
    ]);
    crate::command::run(psql.args(["--dbname=postgres", "--file=/usr/share/kine/database.sql"])).map(drop)
}

fn point(endpoint: &str) -> Result<()> {
    order(Path::new(layout::CONTROL), &format!("point kine {endpoint}")).map(drop)
}

/// Has the first process of a node do something.
///
/// # Errors
/// It is not there, or cannot.
pub fn order(control: &Path, line: &str) -> Result<String> {
    let at = || format!("{}: {line}", control.display());
    let mut stream = UnixStream::connect(control).with_context(at)?;
    writeln!(stream, "{line}").with_context(at)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).with_context(at)?;
    match answer.trim_end_matches('\n').split_once(' ') {
        Some(("ok", text)) => Ok(text.to_owned()),
        _ => bail!("{}: {}", at(), answer.trim_end()),
    }
}
