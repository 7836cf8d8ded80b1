//! What the host's packages bring.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::run;
use crate::unit::id;

pub const PATRONI: &str = "/usr/bin/patroni";
pub const PATRONICTL: &str = "/usr/bin/patronictl";
pub const ETCD: &str = "/usr/bin/etcd";
const POSTGRESQL: &str = "/usr/lib/postgresql";

pub struct Installed {
    /// Of the newest PostgreSQL.
    pub binaries: PathBuf,
    /// The user postgres.
    pub owner: u32,
    versions: Vec<String>,
}

impl Installed {
    /// # Errors
    /// Something is missing; with the packages that bring it.
    pub fn find() -> Result<Self> {
        let binaries = newest_postgresql();
        let postgres = binaries.clone().unwrap_or_default().join("postgres");
        let wanted = [
            ("patroni", Path::new(PATRONI)),
            ("patroni", Path::new(PATRONICTL)),
            ("python3-etcd", Path::new("/usr/lib/python3/dist-packages/etcd")),
            ("etcd-server", Path::new(ETCD)),
            ("postgresql", postgres.as_path()),
        ];
        let mut missing: Vec<_> =
            wanted.iter().filter(|(_, path)| !path.exists()).map(|(package, _)| *package).collect();
        missing.dedup();
        if !missing.is_empty() {
            bail!("not installed here: {0}\n  help: apt-get install {0}", missing.join(" "));
        }
        let version = |program: &Path| -> Result<String> {
            let said = run(Command::new(program).arg("--version"))?;
            Ok(said.lines().next().unwrap_or_default().to_owned())
        };
        let versions = [Path::new(PATRONI), Path::new(ETCD), &postgres]
            .map(version)
            .into_iter()
            .collect::<Result<_>>()?;
        let binaries = binaries.context("there is no PostgreSQL")?;
        Ok(Installed { binaries, owner: id(Path::new("/"), "postgres")?, versions })
    }
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.versions.join("; "))
    }
}

fn newest_postgresql() -> Option<PathBuf> {
    let entries = std::fs::read_dir(POSTGRESQL).ok()?.flatten();
    let versions = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let binaries = |version| Path::new(POSTGRESQL).join(format!("{version}/bin"));
    let whole = versions.filter(|version| binaries(*version).join("postgres").is_file());
    whole.max().map(binaries)
}
