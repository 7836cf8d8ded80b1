//! The distribution of Go that compiles.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_fetch::Steps;
use geminios_model::{Arch, Digest, GoPin, Progress, Unit};
use geminios_unpack::{ToolSet, bare};

use crate::error::{CompileError, at};
use crate::go::GoCaches;
use crate::go::command::{self, common, offline, online};
use crate::program::make_folder;

const STEP: &str = "go-distribution";

/// A distribution of Go, unpacked.
#[derive(Clone, Debug)]
pub struct GoTools {
    root: PathBuf,
}

impl GoTools {
    /// The pinned distribution, if it is here already; then nothing need be fetched for it.
    pub fn unpacked(pin: &GoPin, host: Arch, steps: &Steps) -> Option<Self> {
        steps.get(STEP, &key(pin, host)).map(|folder| GoTools { root: folder.join("go") })
    }

    /// The pinned distribution, fetched by the Go of `fetcher` from where the user's Go takes modules.
    ///
    /// # Errors
    /// It cannot be fetched, or is not the one that is pinned.
    pub fn fetch(
        pin: &GoPin,
        host: Arch,
        fetcher: &ToolSet,
        fetch: bool,
        steps: &Steps,
        progress: &dyn Progress,
    ) -> Result<Self, CompileError> {
        let title = format!("go {}", pin.version);
        progress.begin(&title, 0, Unit::Items);
        let folder = steps.put(STEP, &key(pin, host), |dir| {
            let work = dir.join("work");
            make_folder(&work)?;
            let unpacked = download(pin, host, fetcher, fetch, &work)?;
            let root = dir.join("go");
            fs::rename(&unpacked, &root).map_err(at(&unpacked))?;
            make_executable(&root)?;
            fs::remove_dir_all(&work).map_err(at(&work))
        })?;
        progress.end(&title, "fetched, its hash is the pinned one");
        Ok(GoTools { root: folder.join("go") })
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = bare(&self.root.join("bin/go"));
        command.env("GOROOT", &self.root);
        command
    }
}

fn key(pin: &GoPin, host: Arch) -> Digest {
    Digest::of_parts([b"1".as_slice(), pin.version.as_bytes(), pin.sum.as_bytes(), host.go().as_bytes()])
}

/// Gives the folder that it was unpacked into.
fn download(
    pin: &GoPin,
    host: Arch,
    fetcher: &ToolSet,
    fetch: bool,
    work: &Path,
) -> Result<PathBuf, CompileError> {
    let name = format!("golang.org/toolchain@v0.0.1-go{}.linux-{}", pin.version, host.go());
    let caches = GoCaches::of(work, fetch);
    let mut go = fetcher.command("go");
    common(&mut go, &caches, work);
    if fetch {
        online(&mut go)
    } else {
        offline(&mut go)
    }
    go.current_dir(work).args(["mod", "download", "-json", &name]);
    let printed = command::run(go, &|_| false)?;
    let found = |field: &str| {
        let begin = format!("\"{field}\": \"");
        let line = printed.out.lines().find_map(|line| line.trim().strip_prefix(&begin)?.split('"').next());
        line.map(str::to_owned)
    };
    let (true, Some(folder), Some(sum)) = (printed.success, found("Dir"), found("Sum")) else {
        let message = found("Error").unwrap_or(printed.errors);
        return Err(CompileError::GoModules { program: format!("go {}", pin.version), message });
    };
    if sum != pin.sum.as_str() {
        return Err(CompileError::GoDistribution { name, sum, pinned: pin.sum.to_string() });
    }
    Ok(PathBuf::from(folder))
}

/// Modules have no executable files.
fn make_executable(root: &Path) -> Result<(), CompileError> {
    let tools = root.join("pkg/tool");
    let mut folders = vec![root.join("bin")];
    for entry in fs::read_dir(&tools).map_err(at(&tools))? {
        folders.push(entry.map_err(at(&tools))?.path());
    }
    for folder in folders {
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(at(&path))?;
        }
    }
    Ok(())
}
