//! python-tuf in a virtual environment of its own: as in judge/requirements.txt, kept in the user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_update_format::Digest;
use serde_json::Value;

/// Its interpreter. Without python3, its venv or a registry the tests are skipped with a word; GEMINIOS_ORACLES=required
/// makes them fail.
pub struct Oracle {
    python: PathBuf,
}

/// Its scripts. Tests of other crates, which have this file too, are in other folders.
pub fn judge() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.map(|dir| dir.join("overlays/updater/format/judge")).find(|dir| dir.is_dir()).unwrap()
}

impl Oracle {
    pub fn new() -> Option<Self> {
        match environment() {
            Ok(python) => Some(Oracle { python }),
            Err(reason) => {
                assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "python-tuf: {reason}");
                eprintln!("skipped: no python-tuf on this host ({reason})");
                None
            }
        }
    }

    fn run(&self, script: &str, argument: &Path) -> Vec<u8> {
        let mut command = Command::new(&self.python);
        command.args(["-B".as_ref(), judge().join(script).as_os_str(), argument.as_os_str()]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Has the repositories of judge/hostile.py written to a folder.
    pub fn write_repositories(&self, folder: &Path) {
        self.run("hostile.py", folder);
    }

    /// The verdicts of python-tuf's client.
    pub fn verdicts(&self, scenarios: &Path) -> Value {
        serde_json::from_slice(&self.run("client.py", scenarios)).unwrap()
    }
}

fn environment() -> Result<PathBuf, String> {
    let requirements = judge().join("requirements.txt");
    let digest = Digest::of(&std::fs::read(&requirements).map_err(|error| error.to_string())?).to_string();
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")));
    let parent = cache.ok_or("no HOME")?.join("geminios/tuf-judge");
    let place = parent.join(&digest[..16]);
    let python = place.join("bin/python");
    if python.exists() {
        return Ok(python);
    }
    std::fs::create_dir_all(&parent).map_err(|error| error.to_string())?;
    // Made under another name: whoever finds the place finds it complete.
    let made = tempfile::tempdir_in(&parent).map_err(|error| error.to_string())?;
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
        let said = || String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(()) } else { Err(said()) }
    };
    run("python3".as_ref(), &["-m", "venv", &made.path().to_string_lossy()])?;
    let install = ["-m", "pip", "install", "--quiet", "--requirement", &requirements.to_string_lossy()];
    run(&made.path().join("bin/python"), &install)?;
    let from = made.keep();
    if std::fs::rename(&from, &place).is_err() && !python.exists() {
        return Err(format!("cannot rename {} to {}", from.display(), place.display()));
    }
    Ok(python)
}
