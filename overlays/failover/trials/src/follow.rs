//! Run by the agent when the leader changes: Kine goes to the PostgreSQL that leads.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

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

/// What a device does too, for a leader that a person named.
const NAMED: &str = include_str!("../../rootfs/usr/share/kine/named-leader.sql");

/// `PROGRAM lead|follow EPOCH ADDRESS HOW`, behind how Kine follows, `cut PEER` or `restart PEER`.
///
/// # Errors
/// Wrong words; the database cannot be made; the first process does not obey.
pub fn run(words: &[&str]) -> Result<()> {
    let [how, peer, role, epoch, address, by] = words else {
        bail!("{words:?}: not `HOW PEER lead|follow EPOCH ADDRESS HOW`")
    };
    let leads = *role == "lead";
    if leads && *epoch == "1" {
        make_database()?;
    }
    note(&format!("follow: {role} {epoch} {address} by {by}"));
    if *by == "person" {
        begin_anew(epoch, leads)?;
    }
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

fn psql(database: &str) -> Command {
    let mut psql = Command::new("/usr/bin/psql");
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        "--host=/run/postgresql",
        "--username=postgres",
        "--dbname",
        database,
    ]);
    psql
}

/// It changes nothing where both are there.
fn make_database() -> Result<()> {
    crate::command::run(psql("postgres").arg("--file=/usr/share/kine/database.sql")).map(drop)
}

/// Kine and API server forget what the leader may not have. Once an epoch, as an agent that starts again says it again.
fn begin_anew(epoch: &str, leads: bool) -> Result<()> {
    let (done, control) = (Path::new("/run/named-leader"), Path::new(layout::CONTROL));
    if std::fs::read_to_string(done).is_ok_and(|before| before == epoch) {
        return Ok(());
    }
    order(control, "stop kine")?;
    if leads {
        crate::command::feed(psql("kine").arg(format!("--set=epoch={epoch}")), NAMED)?;
    } else {
        // What begins before that is done would look for the revisions in between for ever.
        let mark = "SELECT obj_description('kine_id_seq'::regclass, 'pg_class')";
        let mut looked = 0;
        while crate::command::run(psql("kine").args(["--tuples-only", "--command", mark]))
            .map_or(true, |text| text.trim() != format!("epoch {epoch}"))
        {
            looked += 1;
            if looked > 250 {
                bail!("the leader's mark of epoch {epoch} does not come");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    order(control, "start kine")?;
    // It starts again by itself.
    let _ = order(control, "kill kube-apiserver");
    Ok(std::fs::write(done, epoch)?)
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
