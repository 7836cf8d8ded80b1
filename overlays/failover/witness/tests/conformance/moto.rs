//! moto in a virtual environment of its own: as in judge/requirements.txt, kept in the user's cache.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// One store for all tests: it takes long to start. Without python3, its venv or a registry the tests are skipped with a word; GEMINIOS_ORACLES=required makes
/// them fail. It ends when its input does: with the test's process, even if that is killed.
static MOTO: LazyLock<Result<(Moto, Child), String>> =
    LazyLock::new(|| environment().and_then(|python| start(&python)));

#[derive(Deserialize)]
pub struct Moto {
    pub http: u16,
    pub https: u16,
    /// Gets, puts and deletes for anybody.
    pub behind: u16,
    pub access: String,
    pub secret: String,
    pub certificate: PathBuf,
}

impl Moto {
    pub fn get() -> Option<&'static Self> {
        match &*MOTO {
            Ok((moto, _)) => Some(moto),
            Err(reason) => {
                assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "moto: {reason}");
                eprintln!("skipped: no moto on this host ({reason})");
                None
            }
        }
    }
}

fn judge() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("judge")
}

fn start(python: &Path) -> Result<(Moto, Child), String> {
    let mut command = Command::new(python);
    command.arg("-B").arg(judge().join("store.py"));
    // A proxy of the host is not for this.
    command.env("NO_PROXY", "*").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).map_err(|error| error.to_string())?;
    let moto = serde_json::from_str(&line).map_err(|error| format!("it said `{line}`: {error}"))?;
    Ok((moto, child))
}

fn environment() -> Result<PathBuf, String> {
    let requirements = judge().join("requirements.txt");
    let digest = Sha256::digest(std::fs::read(&requirements).map_err(|error| error.to_string())?);
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")));
    let parent = cache.ok_or("no HOME")?.join("geminios/moto");
    let place = parent.join(hex::encode(&digest[..8]));
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
