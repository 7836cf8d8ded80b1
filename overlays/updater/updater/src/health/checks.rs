//! What has to be true of a healthy system: what the image says is in it, and what this device's owner adds.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::health::own;
use crate::health::{Config, config};
use crate::image::Data;
use crate::machine::{Command, Host};

/// Folders with commands, in their order: the image's, then the device's.
const FOLDERS: [&str; 2] = ["/etc/geminios/health.d", "/var/lib/geminios/health.d"];

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    Units,
    Postgresql,
    Apiserver,
    Node,
    /// Healthy if it exits with 0; the last line it prints says why not.
    Command(PathBuf),
    /// Settings that cannot be read: nobody knows what would be healthy.
    Broken(String),
}

/// What one of them said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    pub name: String,
    /// None: it passed.
    pub problem: Option<String>,
}

/// All of them, those that others depend on first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checks {
    pub checks: Vec<Check>,
    timeout: Duration,
}

impl Checks {
    /// What the image has, without what its settings leave out.
    pub fn new(config: &Config, data: Option<Data>) -> Self {
        let data = data.unwrap_or(Data { postgresql: 0, kine_schema: 0, kubernetes_minor: 0 });
        let has_kubernetes = data.kubernetes_minor > 0;
        let all = [
            (Check::Units, true),
            (Check::Postgresql, data.postgresql > 0),
            (Check::Apiserver, has_kubernetes),
            (Check::Node, has_kubernetes),
        ];
        let wanted = |check: &Check| !config.without.contains(&check.name());
        let checks = all.into_iter().filter(|(check, is_there)| *is_there && wanted(check));
        Checks { checks: checks.map(|(check, _)| check).collect(), timeout: config.timeout }
    }

    /// As the host's settings say. Wrong ones do not make a version healthy.
    pub fn of(host: &Host, data: Option<Data>) -> (Config, Checks) {
        match Config::read(&host.paths.at(config::FILE)) {
            Ok(config) => {
                let checks = Checks::new(&config, data);
                (config, checks)
            }
            Err(error) => {
                let config = Config::default();
                let first = error.to_string().lines().next().unwrap_or_default().to_owned();
                let checks = Checks { checks: vec![Check::Broken(first)], timeout: config.timeout };
                (config, checks)
            }
        }
    }

    /// Runs them up to the first that fails: those after it depend on it, or would only cost time.
    pub fn run(&self, host: &Host) -> Vec<Verdict> {
        let mut run = Vec::new();
        for verdict in self.verdicts(host) {
            let failed = verdict.problem.is_some();
            run.push(verdict);
            if failed {
                break;
            }
        }
        run
    }

    /// Those that fail, whatever they depend on.
    pub fn failing(&self, host: &Host) -> Vec<Verdict> {
        self.verdicts(host).filter(|verdict| verdict.problem.is_some()).collect()
    }

    fn verdicts(&self, host: &Host) -> impl Iterator<Item = Verdict> {
        let checks = self.checks.iter().cloned().chain(commands(host));
        checks.map(|check| Verdict { name: check.name(), problem: check.run(host, self.timeout).err() })
    }
}

impl Check {
    pub fn name(&self) -> String {
        match self {
            Check::Units => "units".to_owned(),
            Check::Postgresql => "postgresql".to_owned(),
            Check::Apiserver => "apiserver".to_owned(),
            Check::Node => "node".to_owned(),
            Check::Command(path) => path.display().to_string(),
            Check::Broken(_) => "settings".to_owned(),
        }
    }

    fn run(&self, host: &Host, timeout: Duration) -> Result<(), String> {
        match self {
            Check::Units => own::units(host, timeout),
            Check::Postgresql => own::postgresql(host, timeout),
            Check::Apiserver => own::apiserver(host, timeout),
            Check::Node => own::node(host, timeout),
            Check::Command(path) => command(host, path, timeout),
            Check::Broken(problem) => Err(problem.clone()),
        }
    }
}

/// Executables in both folders, by their names. Looked for anew each time: a device's owner may add one.
fn commands(host: &Host) -> Vec<Check> {
    let mut checks = Vec::new();
    for folder in FOLDERS {
        let entries = std::fs::read_dir(host.paths.at(folder)).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            let path = Path::new(folder).join(name);
            let stat = std::fs::metadata(host.paths.at(&path.to_string_lossy()));
            if stat.is_ok_and(|stat| stat.is_file() && stat.mode() & 0o111 != 0) {
                checks.push(Check::Command(path));
            }
        }
    }
    checks
}

fn command(host: &Host, path: &Path, timeout: Duration) -> Result<(), String> {
    let file = host.paths.at(&path.to_string_lossy());
    // It runs as root: nobody else may say what it does.
    for path in [Some(file.as_path()), file.parent()].into_iter().flatten() {
        let stat = std::fs::metadata(path).map_err(|error| error.to_string())?;
        if stat.uid() != rustix::process::geteuid().as_raw() || stat.mode() & 0o022 != 0 {
            return Err("others than root may write to it or its folder; it is not run".to_owned());
        }
    }
    let outcome = host.commands.run(&Command::new(&file, timeout));
    if outcome.is_success() { Ok(()) } else { Err(outcome.told()) }
}
