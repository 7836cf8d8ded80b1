//! What every verb works with: the terminal, the cache, the mirrors.

use std::path::PathBuf;

use anyhow::{Context, Result};
use geminios_fetch::{Fetcher, Mirrors, Registries, Steps, Store};

use crate::args::Global;
use crate::project::{Description, Project};
use crate::terminal::Terminal;

/// Seconds since 1970, as this host's clock says.
pub fn now() -> Result<u64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Ok(since.context("the clock of this host is before 1970")?.as_secs())
}

/// One run of the command.
pub struct Session {
    pub global: Global,
    pub terminal: Terminal,
}

impl Session {
    pub fn new(global: Global) -> Self {
        let terminal = Terminal::new(global.color, global.quiet);
        if let Some(jobs) = global.jobs {
            // Fails only when a pool exists already, and none does this early.
            drop(rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global());
        }
        Session { global, terminal }
    }

    /// The project this command works on.
    pub fn project(&self) -> Result<Project> {
        Project::find(self.global.project.as_deref())
    }

    /// A profile and all it names.
    pub fn describe(&self, profile: &str, board: Option<&str>) -> Result<(Project, Description)> {
        let project = self.project()?;
        let description = project.describe(profile, board)?;
        Ok((project, description))
    }

    /// How many things are done at once.
    pub fn jobs(&self) -> usize {
        self.global.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// `--cache`, else the user's cache folder by the XDG base directory specification.
    pub fn cache(&self) -> Result<PathBuf> {
        if let Some(dir) = &self.global.cache {
            return std::path::absolute(dir).context("--cache is no path");
        }
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        absolute("XDG_CACHE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".cache")))
            .map(|dir| dir.join("geminios"))
            .context(
                "no folder for the cache: neither HOME nor XDG_CACHE_HOME is set\n  help: give --cache DIR",
            )
    }

    pub fn store(&self) -> Result<Store> {
        Ok(Store::open(&self.cache()?)?)
    }

    pub fn steps(&self) -> Result<Steps> {
        Ok(Steps::open(&self.cache()?)?)
    }

    /// Downloads from the mirrors this host uses, and from registries.
    pub fn fetcher(&self, store: &Store) -> Result<Fetcher> {
        let environment = std::env::var("GEMINIOS_MIRROR").ok();
        let mirrors = Mirrors::discover(
            &self.global.mirrors,
            environment.as_deref(),
            std::path::Path::new("/etc/apt"),
        )?;
        let environment = std::env::var("GEMINIOS_REGISTRY_MIRROR").ok();
        let registries = Registries::discover(&self.global.registry_mirrors, environment.as_deref())?;
        Ok(Fetcher::new(store.clone(), mirrors).with_registries(registries))
    }
}
