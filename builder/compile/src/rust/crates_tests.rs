use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use geminios_model::Digest;

use super::*;

/// A .crate file with one entry.
fn archive(path: &str, kind: EntryType, bytes: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    // Past the library's own checks, which a hostile archive was not made with.
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    if kind == EntryType::Symlink {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    builder.append(&header, bytes).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

fn sound() -> Vec<u8> {
    archive("dog-1.0.0/src/lib.rs", EntryType::Regular, b"pub fn bark() {}")
}

fn lock(crates: &[(&str, Digest)]) -> Locked {
    let mut text = "version = 4\n".to_owned();
    for (name, checksum) in crates {
        text += &format!(
            "[[package]]\nname = {name:?}\nversion = \"1.0.0\"\nsource = \"registry+https://crates.example/index\"\nchecksum = \"{checksum}\"\n"
        );
    }
    Locked::parse(Path::new("Cargo.lock"), &text).unwrap()
}

/// A cargo whose `fetch` runs this shell script; `$CARGO_HOME` is its folder.
fn host(folder: &Path, script: &str) -> HostCargo {
    let program = folder.join("cargo");
    // Another process writes it: what this one has open for writing while another test starts a program cannot be run
    // ("text file busy").
    let mut install = std::process::Command::new("install");
    install.args(["-m", "0755", "/dev/stdin"]).arg(&program).stdin(std::process::Stdio::piped());
    let mut child = install.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "#!/bin/sh\n{script}").unwrap();
    assert!(child.wait().unwrap().success());
    let cache = folder.join("registry/cache/crates.example-1");
    fs::create_dir_all(&cache).unwrap();
    HostCargo { program, home: folder.to_owned() }
}

fn cached(host: &HostCargo, name: &str) -> PathBuf {
    host.home.join("registry/cache/crates.example-1").join(name)
}

#[test]
fn hostile_crates_are_refused_and_write_nothing_outside() {
    let cases = [
        archive("../dog-1.0.0/lib.rs", EntryType::Regular, b"x"),
        archive("dog-1.0.0/../../lib.rs", EntryType::Regular, b"x"),
        archive("/dog-1.0.0/lib.rs", EntryType::Regular, b"x"),
        archive("cat-1.0.0/lib.rs", EntryType::Regular, b"x"),
        archive("dog-1.0.0/link", EntryType::Symlink, b""),
        archive("dog-1.0.0/disk", EntryType::Block, b""),
        sound()[..40].to_vec(),
        b"no archive".to_vec(),
    ];
    for (i, bytes) in cases.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("a/b");
        fs::create_dir_all(&into).unwrap();
        let error = unpack("dog-1.0.0", bytes.as_slice(), &into).unwrap_err();
        assert!(error.to_string().starts_with("crate dog-1.0.0.crate: "), "case {i}: {error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "case {i}");
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1, "case {i}");
    }
}

#[test]
fn a_crate_as_cargo_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let blob = store.put_bytes(&sound()).unwrap();
    vendor(&lock(&[("dog", blob.digest)]), std::slice::from_ref(&blob), &folder.path().join("vendor"))
        .unwrap();
    let text = |name| fs::read_to_string(folder.path().join("vendor/dog-1.0.0").join(name)).unwrap();
    assert_eq!(text("src/lib.rs"), "pub fn bark() {}");
    assert_eq!(text(".cargo-checksum.json"), format!("{{\"files\":{{}},\"package\":\"{}\"}}", blob.digest));
}

#[test]
fn cargo_fetches_only_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (dog, cat) = (sound(), archive("cat-1.0.0/Cargo.toml", EntryType::Regular, b""));
    let wanted = lock(&[("dog", Digest::of(&dog)), ("cat", Digest::of(&cat))]);
    let script = "echo \"$@\" >> \"$CARGO_HOME/calls\"; cp \"$CARGO_HOME/cat\" \"$CARGO_HOME/registry/cache/crates.example-1/cat-1.0.0.crate\"";
    let host = host(folder.path(), script);
    fs::write(folder.path().join("cat"), &cat).unwrap();
    fs::write(cached(&host, "dog-1.0.0.crate"), &dog).unwrap();
    let workspace = Path::new("/a/tree");
    assert_eq!(in_store(&wanted, &host, workspace, &store).unwrap().len(), 2);
    fs::remove_dir_all(folder.path().join("registry")).unwrap();
    assert_eq!(in_store(&wanted, &host, workspace, &store).unwrap().len(), 2);
    let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
    assert_eq!(calls, "fetch --locked --manifest-path /a/tree/Cargo.toml\n");
}

#[test]
fn other_bytes_than_cargo_lock_has_never_reach_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let host = host(folder.path(), "exit 0");
    fs::write(cached(&host, "dog-1.0.0.crate"), sound()).unwrap();
    let expected = Digest::of("what Cargo.lock says");
    let error = in_store(&lock(&[("dog", expected)]), &host, Path::new("/"), &store).unwrap_err();
    assert!(error.to_string().contains("crate dog-1.0.0.crate is not in"), "{error}");
    assert_eq!(store.get(&Digest::of(sound())).unwrap(), None);
}

#[test]
fn what_cargo_says_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let host = host(folder.path(), "echo 'error: the network is down' >&2; exit 101");
    let error = in_store(&lock(&[("dog", Digest::of("x"))]), &host, Path::new("/"), &store).unwrap_err();
    assert!(error.to_string().contains("error: the network is down"), "{error}");
}
