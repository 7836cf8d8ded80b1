use super::*;

const ROOT: &str = r#"
[workspace]
resolver = "3"
members = ["programs/*", "shared"]
package = { version = "1.2.3", edition = "2024" }
dependencies = { shared = { path = "shared" }, used = "=1.0.0", builder-only = "9" }
[workspace.lints.clippy]
unwrap_used = "warn"
[profile.release]
debug = true
"#;

const AGENT: &str = r#"
[package]
name = "agent"
version.workspace = true
[lints]
workspace = true
[dependencies]
shared.workspace = true
renamed = { package = "real", version = "2" }
[target.'cfg(unix)'.dependencies]
used = { workspace = true, features = ["x"] }
[target.'cfg(unix)'.dev-dependencies]
builder-only.workspace = true
[dev-dependencies]
builder-only.workspace = true
"#;

const LOCK: &str = r#"
version = 4
[[package]]
name = "agent"
version = "1.2.3"
dependencies = ["builder-only", "real", "shared", "used 1.0.0"]
[[package]]
name = "shared"
version = "1.2.3"
[[package]]
name = "builder-only"
version = "9.0.0"
source = "registry+https://crates.example/index"
checksum = "1111111111111111111111111111111111111111111111111111111111111111"
[[package]]
name = "real"
version = "2.0.0"
source = "registry+https://crates.example/index"
checksum = "2222222222222222222222222222222222222222222222222222222222222222"
dependencies = ["used 1.0.0"]
[[package]]
name = "used"
version = "1.0.0"
source = "registry+https://crates.example/index"
checksum = "3333333333333333333333333333333333333333333333333333333333333333"
[[package]]
name = "used"
version = "2.0.0"
source = "registry+https://crates.example/index"
checksum = "4444444444444444444444444444444444444444444444444444444444444444"
"#;

/// A workspace with the program `programs/agent`.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("Cargo.toml", ROOT),
        ("programs/agent/Cargo.toml", AGENT),
        ("programs/agent/src/main.rs", "fn main() {}"),
        ("programs/agent/src/tests/mod.rs", "// a module, not a folder of tests"),
        ("programs/agent/tests/slow.rs", "#[test] fn slow() {}"),
        ("programs/agent/.main.rs.swp", "editor"),
        ("programs/agent/fuzz/Cargo.toml", "[package]\nname = \"fuzz\""),
        ("programs/agent/target/debug/agent", "binary"),
        ("programs/other/Cargo.toml", "[package]\nname = \"other\""),
        ("shared/Cargo.toml", "[package]\nname = \"shared\"\nversion.workspace = true\n"),
        ("shared/src/lib.rs", ""),
    ] {
        put(&folder.path().join(path), text.as_bytes()).unwrap();
    }
    folder
}

fn lock(text: &str) -> Locked {
    Locked::parse(Path::new("Cargo.lock"), text).unwrap()
}

#[test]
fn only_what_the_program_needs_is_staged() {
    let tree = tree();
    let stage = Stage::read(tree.path(), Path::new("programs/agent")).unwrap();
    assert_eq!(stage.program(), "agent");
    let paths: Vec<&str> = stage.files().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        [
            "Cargo.toml",
            "programs/agent/Cargo.toml",
            "programs/agent/src/main.rs",
            "programs/agent/src/tests/mod.rs",
            "shared/Cargo.toml",
            "shared/src/lib.rs"
        ]
    );
    let all: String = stage.files().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    for absent in ["builder-only", "lints", "dev-dependencies", "debug"] {
        assert!(!all.contains(absent), "{absent} in {all}");
    }
}

#[test]
fn only_what_the_program_needs_is_in_its_lock() {
    let tree = tree();
    let stage = Stage::read(tree.path(), Path::new("programs/agent")).unwrap();
    let locked = lock(LOCK).reachable_from(&stage).unwrap();
    let crates: Vec<String> = locked.crates().unwrap().iter().map(|found| found.folder()).collect();
    assert_eq!(crates, ["real-2.0.0", "used-1.0.0"]);
    let text = locked.to_text();
    assert!(text.contains("dependencies = [\"real\", \"shared\", \"used 1.0.0\"]"), "{text}");
    assert_eq!(lock(&text), locked);
}

#[test]
fn the_staged_workspace_is_one_that_cargo_reads() {
    let (tree, work) = (tree(), tempfile::tempdir().unwrap());
    let stage = Stage::read(tree.path(), Path::new("programs/agent")).unwrap();
    let locked = lock(LOCK).reachable_from(&stage).unwrap();
    stage.write(work.path(), "[profile.release]\nlto = true\n", &locked).unwrap();
    let root: toml::Table = fs::read_to_string(work.path().join("Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(root["profile"]["release"]["lto"].as_bool(), Some(true));
    assert_eq!(root["workspace"]["package"]["version"].as_str(), Some("1.2.3"));
    assert_eq!(root["workspace"]["dependencies"]["shared"]["path"].as_str(), Some("shared"));
    assert_eq!(root["workspace"]["members"].as_array().unwrap().len(), 2);
    assert!(root["workspace"].get("lints").is_none());
}

#[test]
fn a_dependency_that_is_not_locked() {
    let tree = tree();
    let stage = Stage::read(tree.path(), Path::new("programs/agent")).unwrap();
    let error = lock(&LOCK.replace("\"real\", ", "")).reachable_from(&stage).unwrap_err().to_string();
    assert!(error.starts_with("Cargo.lock does not have real, which agent needs"), "{error}");
    let error =
        lock(&LOCK.replace("name = \"agent\"", "name = \"was-agent\"")).reachable_from(&stage).unwrap_err();
    assert!(error.to_string().starts_with("Cargo.lock does not have agent"), "{error}");
}

#[test]
fn a_dependency_without_a_checksum() {
    let tree = tree();
    let stage = Stage::read(tree.path(), Path::new("programs/agent")).unwrap();
    let git = LOCK.replace("registry+https://crates.example/index", "git+https://code.example/real#1234");
    let error = lock(&git).reachable_from(&stage).unwrap().crates().unwrap_err().to_string();
    assert!(error.contains("real 2.0.0 does not come from a registry"), "{error}");
}

#[test]
fn manifests_that_cannot_be_used() {
    let tree = tree();
    let read = |manifest: &str| {
        fs::write(tree.path().join("programs/agent/Cargo.toml"), manifest).unwrap();
        Stage::read(tree.path(), Path::new("programs/agent")).unwrap_err().to_string()
    };
    for (manifest, reason) in [
        ("[package\n", "not valid TOML"),
        ("[workspace]\n", "it has no [package] name"),
        (
            "[package]\nname = \"agent\"\n[dependencies]\nmissing.workspace = true\n",
            "`missing` is not in the workspace",
        ),
        ("[package]\nname = \"agent\"\n[dependencies]\nout = { path = \"../../../out\" }\n", "/out"),
    ] {
        let error = read(manifest);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn links_among_the_sources_are_refused() {
    let tree = tree();
    std::os::unix::fs::symlink("/etc/passwd", tree.path().join("programs/agent/src/data")).unwrap();
    let error = Stage::read(tree.path(), Path::new("programs/agent")).unwrap_err();
    assert!(matches!(error, CompileError::SpecialFile { .. }), "{error}");
}
