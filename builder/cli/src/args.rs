//! The command line: what a user can ask for, and the words that teach it.

pub mod release;
pub mod site;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::forward;
use crate::machine::{Cable, Forward};

/// Builds signed, immutable A/B operating-system images for two-node Kubernetes at the edge.
///
/// A profile (profiles/NAME.toml) says what an image is; its lock (profiles/NAME.lock) says from
/// exactly which bytes it is built. `lock` resolves, `build` assembles, `run` boots the result.
#[derive(Debug, Parser)]
#[command(name = "geminios", version, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Exit status: 0 done · 1 failed · 2 wrong usage · 3 a locked package has left its archive · \
4 the lock is older than its profile · 130 interrupted"
)]
pub struct Command {
    #[command(subcommand)]
    pub verb: Verb,
    #[command(flatten)]
    pub global: Global,
}

/// What holds for every verb.
#[derive(Debug, Args)]
pub struct Global {
    /// The tree with profiles/, overlays/ and boards/; found upwards from the current folder if not given
    #[arg(
        long,
        global = true,
        help_heading = "Options of all verbs",
        value_name = "DIR",
        env = "GEMINIOS_PROJECT"
    )]
    pub project: Option<PathBuf>,
    /// Where downloads and finished steps are kept
    #[arg(
        long,
        global = true,
        help_heading = "Options of all verbs",
        value_name = "DIR",
        env = "GEMINIOS_CACHE"
    )]
    pub cache: Option<PathBuf>,
    /// Debian mirror, such as http://mirror.example/debian, or NAME=URL for one archive; may be repeated.
    /// Without it: GEMINIOS_MIRROR, then the host's apt configuration
    #[arg(long = "mirror", global = true, help_heading = "Options of all verbs", value_name = "URL")]
    pub mirrors: Vec<String>,
    /// Mirror of container registries, such as http://mirror.example:5000, or REGISTRY=URL for one registry; may be
    /// repeated. Without it: GEMINIOS_REGISTRY_MIRROR, then the registries themselves
    #[arg(
        long = "registry-mirror",
        global = true,
        help_heading = "Options of all verbs",
        value_name = "URL"
    )]
    pub registry_mirrors: Vec<String>,
    /// How verbs that report print
    #[arg(long, global = true, help_heading = "Options of all verbs", value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// How many things are done at once; all cores if not given. Never changes a byte of an image
    #[arg(long, short, global = true, help_heading = "Options of all verbs", value_name = "N", value_parser = jobs)]
    pub jobs: Option<usize>,
    /// Colours in messages and progress bars
    #[arg(long, global = true, help_heading = "Options of all verbs", value_enum, default_value_t = When::Auto)]
    pub color: When,
    /// Only results and errors
    #[arg(long, short, global = true, help_heading = "Options of all verbs")]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Resolve a profile's wishes into exact packages and write its lock
    Lock(Lock),
    /// Build an image from a profile and its lock
    Build(Build),
    /// Boot a built image in QEMU, with its console on this terminal
    Run(Run),
    /// Show what is in an image: partitions, root hash, packages, sizes; check every byte against the root hash
    Inspect(Inspect),
    /// Show what differs between two images: packages, files, bytes
    Diff(Diff),
    /// Show a profile resolved: what each overlay brings, and why a package is there
    Explain(Explain),
    /// Make, replace and list the keys that sign updates
    Keys(release::Keys),
    /// Put a build into a repository of updates, signed: whole, as deltas from earlier releases, and in chunks
    Publish(release::Publish),
    /// Write a release and its signatures into one file, for a USB stick
    Bundle(release::Bundle),
    /// Check a repository or a bundle as a device would, and each of its bytes
    Verify(release::Verify),
    /// Serve a repository on this host, for tries: any web server does it for real
    Serve(release::Serve),
    /// Show both nodes of a pair that runs: who leads, what the other one lacks, how the last change of the leader went
    Status(site::Status),
    /// Let the other node of a pair lead, as before work on the one that leads
    Failover(site::Failover),
    /// Remove finished steps from the cache, and with --all the downloads
    Clean(Clean),
    /// Print versions of the command and of the formats it reads
    Version,
    /// Print a completion script for a shell
    Completions(Completions),
    #[command(hide = true)]
    Relay(Relay),
    /// Print the JSON schema of profiles, boards, overlays, scripts.toml or tools.toml, for editors
    Schema(SchemaOf),
}

#[derive(Debug, Args)]
pub struct Lock {
    /// Profile, by name or by path
    pub profile: String,
    /// Move to the newest versions: of all packages, or of those named. Stands after the profile.
    /// Without it, what is locked stays as long as the archive has it
    #[arg(long, value_name = "PACKAGE", num_args = 0..)]
    pub update: Option<Vec<String>>,
    /// Show what would change and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Build {
    /// Profile, by name or by path
    pub profile: String,
    /// Board; the profile's first if not given
    #[arg(long)]
    pub board: Option<String>,
    /// Folder for the results; out/PROFILE-BOARD in the project if not given
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Fail when the lock is older than its profile. A build always does: it never resolves. Given in
    /// scripts, it says so
    #[arg(long)]
    pub locked: bool,
    /// Use only what is in the cache; touch no network
    #[arg(long)]
    pub offline: bool,
    /// Skip the compressed copy for download
    #[arg(long)]
    pub no_compress: bool,
}

#[derive(Debug, Args)]
pub struct Run {
    /// Profile, by name or by path
    pub profile: String,
    /// Board; the profile's first if not given
    #[arg(long)]
    pub board: Option<String>,
    /// Folder with the results of a build
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// No console: log it to a file, report when the machine is up, stop at Ctrl-C
    #[arg(long)]
    pub headless: bool,
    /// Folder for the disk and the firmware's variables; `run` in the build's folder if not given
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// No network but the forwarded ports
    #[arg(long)]
    pub isolated: bool,
    /// Begin with an empty disk; otherwise the disk of the last run goes on
    #[arg(long)]
    pub fresh: bool,
    /// Accelerator; auto tries KVM with a short probe guest and falls back to emulation
    #[arg(long, value_enum, default_value_t = Accel::Auto)]
    pub accel: Accel,
    /// Memory in MiB
    #[arg(long, default_value_t = 2048, value_name = "MIB")]
    pub memory: u32,
    /// Processors
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub cpus: u32,
    /// Size of the disk in GiB
    #[arg(long, default_value_t = 8, value_name = "GIB")]
    pub disk: u64,
    /// What the machine's clock says at the start, in UTC, such as 1970-01-01 or 2036-05-01T12:00:00; the right time
    /// if not given
    #[arg(long, value_name = "TIME", value_parser = clock)]
    pub clock: Option<String>,
    /// Port on 127.0.0.1 that leads to the machine's ssh; the next free one if taken
    #[arg(long, default_value_t = 2222, value_name = "PORT")]
    pub ssh_port: u16,
    /// Lead a port on 127.0.0.1 to a TCP port of the machine, or of an address of its network, 10.0.2.0/24, that it
    /// answers for; those that overlays name are forwarded anyway, by the same number or the next free one
    #[arg(long, value_name = "HOST:[ADDRESS:]MACHINE", value_parser = forward::parse)]
    pub forward: Vec<Forward>,
    /// Let the machine reach this port of 127.0.0.1, at http://10.0.2.100/, also when --isolated: a server of updates, say
    #[arg(long, value_name = "PORT")]
    pub reach: Option<u16>,
    /// Put a USB stick into the machine: this file is what is on it, and what is written to it
    #[arg(long, value_name = "FILE")]
    pub stick: Option<PathBuf>,
    /// A cable to another machine on this host: the hardware address of this end, its Unix socket, and the other one's
    #[arg(long, value_name = "MAC,MINE,OTHER")]
    pub cable: Vec<Cable>,
    /// Hand this file over as a credential of systemd, such as `tmpfiles.extra` with files of /var/lib
    #[arg(long, value_name = "NAME=FILE", value_parser = credential)]
    pub credential: Vec<(String, PathBuf)>,
    /// Public key that may log in as root; your ~/.ssh/id_*.pub if not given
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<PathBuf>,
    /// Print the QEMU command and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    Auto,
    Kvm,
    Tcg,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// Disk image, or the folder of a build
    pub image: PathBuf,
    /// List every package
    #[arg(long)]
    pub packages: bool,
    /// List every file with its mode, owner and digest
    #[arg(long)]
    pub files: bool,
    /// Write one file of the root to standard output, and nothing else, such as `--read /usr/bin/kube >kubectl`
    #[arg(long, value_name = "PATH", conflicts_with_all = ["packages", "files"])]
    pub read: Option<String>,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// Disk image or folder of a build
    pub a: PathBuf,
    /// Disk image or folder of a build
    pub b: PathBuf,
    /// List every file
    #[arg(long)]
    pub files: bool,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// Profile, by name or by path
    pub profile: String,
    /// Why this package is in the image
    pub package: Option<String>,
    /// Board; the profile's first if not given
    #[arg(long)]
    pub board: Option<String>,
}

#[derive(Debug, Args)]
pub struct Clean {
    /// Also remove downloads; without it only finished steps go
    #[arg(long)]
    pub all: bool,
    /// Show what would go and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Relay {
    pub port: u16,
}

#[derive(Debug, Args)]
pub struct SchemaOf {
    #[arg(value_enum)]
    pub kind: SchemaKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaKind {
    Profile,
    Board,
    Overlay,
    Scripts,
    Tools,
}

/// How many things may be done at once.
fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a number from 1 on".to_owned()),
        Ok(jobs) => Ok(jobs),
    }
}

/// A time as QEMU takes it; whether there is such a day it says itself.
fn credential(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok((name.to_owned(), path.into())),
        _ => Err("not NAME=FILE".into()),
    }
}

fn clock(text: &str) -> Result<String, String> {
    let form: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match form.as_str() {
        "0000-00-00" | "0000-00-00T00:00:00" => Ok(text.to_owned()),
        _ => Err("give it as 1970-01-01 or 1970-01-01T00:00:00".into()),
    }
}
