//! Verbs of signed updates: keys, and the repository that devices read.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use geminios_release::keys::RoleName;
use geminios_release::time;
use semver::Version;

#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    pub verb: KeysVerb,
}

/// Four roles sign. `root` says whose keys count, and its keys are best kept where no network is; `targets` says what is
/// released; `snapshot` and `timestamp` say that nothing is held back, and sign often.
#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Make keys and the root of trust, 1.root.json, which goes into images: [update] root of the profile
    Init(KeysInit),
    /// Replace the keys of roles; with --repo also in a repository, signed by old and new keys
    Rotate(KeysRotate),
    /// Show the keys of a folder, and what a root of trust would need
    List {
        /// Folder of keys
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct KeysInit {
    /// Folder for the keys; only its owner may read it. ROLE-NAME.toml files in it name keys that are elsewhere
    pub dir: PathBuf,
    /// How many keys a role has, such as root=3; one if not given; may be repeated
    #[arg(long, value_name = "ROLE=N", value_parser = role_number)]
    pub keys: Vec<(RoleName, u64)>,
    /// How many of them must sign, such as root=2; all if not given; may be repeated
    #[arg(long, value_name = "ROLE=N", value_parser = role_number)]
    pub threshold: Vec<(RoleName, u64)>,
    /// Days until the root of trust must have been signed anew
    #[arg(long, default_value_t = 3650, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=36_500))]
    pub days: u64,
    #[command(flatten)]
    pub clock: Clock,
}

#[derive(Debug, Args)]
pub struct KeysRotate {
    /// Folder of keys
    pub dir: PathBuf,
    /// Role whose keys are replaced: root, targets, snapshot or timestamp; may be repeated. Without one nothing is made: the
    /// keys that are in the folder now are put into the repository, for all roles that have one there
    #[arg(long, value_name = "ROLE", value_parser = role)]
    pub role: Vec<RoleName>,
    /// Repository that gets the new root
    #[arg(long, value_name = "DIR")]
    pub repo: Option<PathBuf>,
    /// How many keys must sign from now on; as before if not given; may be repeated
    #[arg(long, value_name = "ROLE=N", value_parser = role_number, requires = "repo")]
    pub threshold: Vec<(RoleName, u64)>,
    #[command(flatten)]
    pub clock: Clock,
}

/// What time it is.
#[derive(Debug, Args)]
pub struct Clock {
    /// What the clock says, such as 2026-11-27T12:00:00Z; this host's clock if not given
    #[arg(long, value_name = "TIME", value_parser = clock)]
    clock: Option<u64>,
}

impl Clock {
    /// Seconds since 1970.
    pub fn now(&self) -> Result<u64> {
        self.clock.map_or_else(crate::session::now, Ok)
    }
}

#[derive(Debug, Args)]
pub struct Publish {
    /// Folder of a build, such as out/PROFILE-BOARD
    #[arg(required_unless_present = "refresh")]
    pub build: Option<PathBuf>,
    /// The repository; begun if it is not there yet
    #[arg(long, value_name = "DIR")]
    pub repo: PathBuf,
    /// Folder of keys; may be repeated
    #[arg(long, required = true, value_name = "DIR")]
    pub keys: Vec<PathBuf>,
    /// Channel that gets the release; may be repeated. A release that is there already is added to the channel and not packed
    /// again
    #[arg(long, default_value = "stable", value_name = "NAME")]
    pub channel: Vec<String>,
    /// Make deltas from so many releases of the channel before it; and from the newest of each other channel. 0: none
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub deltas: usize,
    /// Level of zstd, 1 to 22: higher takes longer, here only
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=22))]
    pub level: i32,
    /// What is new, for people: a file of text that comes with the release
    #[arg(long, value_name = "FILE")]
    pub notes: Option<PathBuf>,
    /// Lowest version from which devices may install it
    #[arg(long, value_name = "VERSION")]
    pub from: Option<Version>,
    /// Major version of PostgreSQL whose data it converts at its first start; may be repeated
    #[arg(long, value_name = "MAJOR")]
    pub converts: Vec<u64>,
    /// Publish a version that is not newer than the newest of the channel. Devices take the newest: this one is for those that
    /// are told its number
    #[arg(long)]
    pub older: bool,
    /// Sign the timestamp anew and publish nothing: devices refuse what was not signed for 30 days
    #[arg(long, conflicts_with = "build")]
    pub refresh: bool,
    #[command(flatten)]
    pub clock: Clock,
}

#[derive(Debug, Args)]
pub struct Bundle {
    /// Repository
    pub repo: PathBuf,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Version; the newest if not given
    #[arg(long, value_name = "VERSION")]
    pub version: Option<Version>,
    /// Profile; needed if the repository has several
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Board; needed if the repository has several
    #[arg(long, value_name = "NAME")]
    pub board: Option<String>,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Folder of a repository, or a bundle
    pub path: PathBuf,
    /// The root of trust, as images have it. Without it the repository's own first root is taken, and the verdict is only whether
    /// it agrees with itself
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    #[command(flatten)]
    pub clock: Clock,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Folder to serve
    pub dir: PathBuf,
    /// Port
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    pub port: u16,
    /// Address to listen on; 0.0.0.0 for all
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub address: IpAddr,
}

fn role(text: &str) -> Result<RoleName, String> {
    RoleName::ALL
        .into_iter()
        .find(|role| role.as_str() == text)
        .ok_or_else(|| format!("`{text}` is no role; there are root, targets, snapshot and timestamp"))
}

fn role_number(text: &str) -> Result<(RoleName, u64), String> {
    let form = || "write it as ROLE=NUMBER, such as root=2".to_owned();
    let (name, number) = text.split_once('=').ok_or_else(form)?;
    let number = number.parse().ok().filter(|number| (1..=20).contains(number)).ok_or_else(form)?;
    Ok((role(name)?, number))
}

fn clock(text: &str) -> Result<u64, String> {
    time::parse(text).ok_or_else(|| "give it as 2026-11-27T12:00:00Z".to_owned())
}
