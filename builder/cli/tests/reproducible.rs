//! The same lock and sources give the same bytes: in another folder, by another user, with another umask, time zone,
//! language and number of jobs, from an empty cache.

#![allow(clippy::unwrap_used)]

mod project;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_model::{Lock, Source};
use project::{GEMINIOS, folder, profile};
use serde_json::Value;

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn copy_tree(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-r").arg("--no-preserve=all").arg("-T").arg(from).arg(to));
}

/// A mirror of exactly the lock's packages, from the store of the first build.
fn mirror(lock: &Lock, store: &Path, to: &Path) {
    for package in
        lock.packages.iter().filter(|p| ["image", "build", "rust", "go"].iter().any(|set| p.is_in(set)))
    {
        let digest = package.sha256.to_string();
        let file = to.join(&package.archive).join(&package.filename);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::copy(store.join(&digest[..2]).join(&digest), file).unwrap();
    }
}

/// The crates of Cargo.lock that the first build fetched: the other user cannot run the first one's cargo.
fn crates(first_cache: &Path, cache: &Path) {
    let lock = fs::read_to_string(folder().join("Cargo.lock")).unwrap();
    let digests = lock.lines().filter_map(|line| line.strip_prefix("checksum = \"")?.strip_suffix('"'));
    for digest in digests {
        let blob = Path::new("store").join(&digest[..2]).join(digest);
        if first_cache.join(&blob).exists() {
            fs::create_dir_all(cache.join(&blob).parent().unwrap()).unwrap();
            fs::copy(first_cache.join(&blob), cache.join(&blob)).unwrap();
        }
    }
}

/// The Go modules that the first build fetched, packed as they came, in the second build's otherwise empty cache; and
/// where the user's Go takes the distribution from.
fn modules(first_cache: &Path, cache: &Path, environment: &Path) {
    let packed = "go/modules/cache/download";
    fs::create_dir_all(cache.join(packed)).unwrap();
    copy_tree(&first_cache.join(packed), &cache.join(packed));
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".config")));
    if let Ok(text) = fs::read(config.unwrap_or_default().join("go/env")) {
        fs::write(environment, text).unwrap();
    }
}

/// Gives the second build the first one's `kube`, half of all compiling, unless GEMINIOS_REPRODUCE is `all`.
fn kube(first_cache: &Path, cache: &Path) {
    if std::env::var("GEMINIOS_REPRODUCE").is_ok_and(|which| which == "all") {
        return;
    }
    eprintln!("kube is taken from the first build; GEMINIOS_REPRODUCE=all compiles it again");
    let steps = "steps/go-program";
    for step in fs::read_dir(first_cache.join(steps)).unwrap() {
        let step = step.unwrap();
        if step.path().join("made/kube").exists() {
            let to = cache.join(steps).join(step.file_name());
            fs::create_dir_all(&to).unwrap();
            run(Command::new("cp").arg("-a").arg("-T").arg(step.path()).arg(&to));
        }
    }
}

fn manifest(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn two_builds_are_the_same_to_the_bit() {
    let scratch =
        tempfile::Builder::new().prefix("geminios repro ").tempdir_in(folder().join("target")).unwrap();
    // The clone may stand below a folder that only its owner can enter; the other user's must not.
    let elsewhere = tempfile::Builder::new().prefix("geminios-").tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(elsewhere.path(), fs::Permissions::from_mode(0o755)).unwrap();

    let cache = project::cache();
    let first = scratch.path().join("first");
    run(Command::new(GEMINIOS)
        .current_dir(folder())
        .arg("--cache")
        .arg(&cache)
        .arg("build")
        .arg(profile())
        .arg("--out")
        .arg(&first));

    let there = elsewhere.path().join("ein Ordner, ünd anders");
    fs::create_dir(&there).unwrap();
    for name in
        ["overlays", "boards", "builder", "qemu-tests", "Cargo.toml", "Cargo.lock", "tools.toml", "keys"]
    {
        if folder().join(name).exists() {
            copy_tree(&folder().join(name), &there.join(name));
        }
    }
    // The copy lost every executable bit: those of the overlays count.
    run(Command::new("cp")
        .args(["-r", "--no-preserve=ownership,timestamps", "-T"])
        .arg(folder().join("overlays"))
        .arg(there.join("overlays")));
    fs::create_dir(there.join("profiles")).unwrap();
    for extension in ["toml", "lock"] {
        let from = profile().with_extension(extension);
        fs::copy(&from, there.join("profiles").join(from.file_name().unwrap())).unwrap();
    }
    let lock_path = profile().with_extension("lock");
    let lock = Lock::parse(&Source::new(&lock_path, fs::read_to_string(&lock_path).unwrap())).unwrap();
    mirror(&lock, &cache.join("store"), &elsewhere.path().join("mirror"));
    let second_cache = elsewhere.path().join("an empty cache");
    let go_environment = elsewhere.path().join("go-env");
    modules(&cache, &second_cache, &go_environment);
    crates(&cache, &second_cache);
    kube(&cache, &second_cache);
    fs::copy(GEMINIOS, elsewhere.path().join("geminios")).unwrap();

    let second = elsewhere.path().join("second");
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = Command::new("sh");
    if root {
        run(Command::new("chown").args(["-R", "12345:12345"]).arg(elsewhere.path()));
        command = Command::new("setpriv");
        command.args(["--reuid=12345", "--regid=12345", "--clear-groups", "--no-new-privs", "sh"]);
    } else {
        eprintln!("not root: the second build has the same user as the first");
    }
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]);
    run(command
        .arg(elsewhere.path().join("geminios"))
        .args(["--jobs", "3", "--project"])
        .arg(&there)
        .arg("--cache")
        .arg(&second_cache)
        .arg("--mirror")
        .arg(format!("file://{}", elsewhere.path().join("mirror/debian").display()))
        .arg("build")
        .arg(there.join("profiles").join(profile().file_name().unwrap()))
        .arg("--out")
        .arg(&second)
        .current_dir("/")
        .env("HOME", elsewhere.path())
        .env("CARGO_HOME", elsewhere.path().join("cargo"))
        .env("GOENV", &go_environment)
        .env("TZ", "Pacific/Chatham")
        .env("LANG", "tr_TR.UTF-8")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env_remove("GEMINIOS_CACHE")
        .env_remove("XDG_CACHE_HOME")
        .env_remove("SOURCE_DATE_EPOCH"));

    let (first_manifest, second_manifest) = (manifest(&first), manifest(&second));
    assert_eq!(
        first_manifest["parts"], second_manifest["parts"],
        "root, verity, initrd or kernel image differ"
    );
    assert_eq!(first_manifest, second_manifest);
    for file in first_manifest["files"].as_object().unwrap().values() {
        let name = file["name"].as_str().unwrap();
        let same = Command::new("cmp").arg(first.join(name)).arg(second.join(name)).output().unwrap();
        assert!(same.status.success(), "{name}: {}", String::from_utf8_lossy(&same.stdout));
    }
}
