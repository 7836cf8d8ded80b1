//! The real thing: this tree's init, compiled by a Debian compiler.
//!
//! GEMINIOS_RUST_DEBS names a folder with the .deb files of tool set `rust`; without it there is nothing to compile with.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use geminios_compile::{CompileError, Compiled, HostCargo, Job, compile};
use geminios_fetch::{Blob, Steps, Store};
use geminios_model::{Arch, Digest, LockedPackage, Silent};
use geminios_unpack::ToolSet;

const PACKAGE: &str = "overlays/initrd/init";

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A cache with the tools in it.
struct Bench {
    store: Store,
    steps: Steps,
    tools: ToolSet,
}

impl Bench {
    fn new(cache: &Path) -> Bench {
        let (store, steps) = (Store::open(cache).unwrap(), Steps::open(cache).unwrap());
        let debs = std::env::var_os("GEMINIOS_RUST_DEBS")
            .expect("GEMINIOS_RUST_DEBS names a folder with .deb files");
        let mut packages = Vec::new();
        for entry in fs::read_dir(debs).unwrap() {
            let path = entry.unwrap().path();
            let blob = store.put(File::open(&path).unwrap(), None).unwrap();
            packages.push((locked(&path, &blob), blob));
        }
        packages.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        let tools = ToolSet::open(&store, &steps, "rust", Arch::host().unwrap(), &packages, &Silent).unwrap();
        Bench { store, steps, tools }
    }

    fn compile(&self, workspace: &Path, binary: &str) -> Result<Compiled, CompileError> {
        self.compile_for(Arch::host().unwrap(), workspace, binary)
    }

    fn compile_folder(&self, workspace: &Path, package: &str) -> Result<Compiled, CompileError> {
        let job =
            Job { workspace, package: Path::new(package), binary: package, target: Arch::host().unwrap() };
        compile(&job, &self.tools, &HostCargo::of_environment(), &self.store, &self.steps, &Silent)
    }

    fn compile_for(&self, target: Arch, workspace: &Path, binary: &str) -> Result<Compiled, CompileError> {
        let job = Job { workspace, package: Path::new(PACKAGE), binary, target };
        compile(&job, &self.tools, &HostCargo::of_environment(), &self.store, &self.steps, &Silent)
    }
}

fn locked(path: &Path, blob: &Blob) -> LockedPackage {
    let name = path.file_name().unwrap().to_str().unwrap();
    LockedPackage {
        name: name.split('_').next().unwrap().into(),
        version: "0".into(),
        architecture: "all".into(),
        sets: [("rust".to_owned(), "@rust".to_owned())].into(),
        archive: "debian".into(),
        filename: name.into(),
        size: blob.size,
        sha256: blob.digest,
        source: (name.into(), "0".into()),
        scripts: Vec::new(),
    }
}

/// A copy of the workspace's files that matter, elsewhere.
fn copy_of_tree(to: &Path) -> PathBuf {
    let root = to.join("a folder with a much longer name, a ' and a blank");
    fs::create_dir_all(root.join(PACKAGE).join("src")).unwrap();
    for file in ["Cargo.toml", "Cargo.lock", &format!("{PACKAGE}/Cargo.toml")] {
        fs::copy(tree().join(file), root.join(file)).unwrap();
    }
    for entry in fs::read_dir(tree().join(PACKAGE).join("src")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), root.join(PACKAGE).join("src").join(entry.file_name())).unwrap();
    }
    root
}

#[test]
#[ignore = "needs the packages of tool set `rust`"]
fn the_init_is_the_same_wherever_it_is_compiled() {
    let folders = tempfile::tempdir().unwrap();
    let here = Bench::new(&folders.path().join("c"));
    let first = here.compile(&tree(), "geminios-init").unwrap();
    let bytes = fs::read(&first.path).unwrap();
    assert_eq!(first.digest, Digest::of(&bytes));
    assert!(bytes.starts_with(b"\x7fELF") && first.size < 200_000, "{} bytes", first.size);
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains(folders.path().to_str().unwrap()), "the folder leaked");

    let elsewhere = copy_of_tree(folders.path());
    let there = Bench::new(&elsewhere.join("cache"));
    let second = there.compile(&elsewhere, "geminios-init").unwrap();
    assert_ne!(first.path, second.path);
    assert_eq!(first.digest, second.digest);

    // Once more: nothing runs, and nothing is left beside the binary.
    let third = there.compile(&elsewhere, "geminios-init").unwrap();
    assert_eq!(second, third);
    let names: Vec<_> =
        fs::read_dir(third.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["geminios-init"]);

    let source = elsewhere.join(PACKAGE).join("src/crc.rs");
    let broken = fs::read_to_string(&source).unwrap() + "fn broken() -> u32 { \"text\" }\n";
    fs::write(&source, broken).unwrap();
    let error = there.compile(&elsewhere, "geminios-init").unwrap_err().to_string();
    assert!(
        error.contains("mismatched types") && error.contains("overlays/initrd/init/src/crc.rs:"),
        "{error}"
    );
    assert!(!error.contains("unfinished"), "{error}");

    let error = here.compile(&tree(), "no-such-program").unwrap_err();
    assert!(matches!(error, CompileError::NoBinary { .. }), "{error}");
}

#[test]
#[ignore = "needs the packages of tool set `rust`"]
fn a_program_with_the_standard_library_a_build_script_and_a_procedural_macro() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("tree");
    fs::create_dir_all(workspace.join("agent/src")).unwrap();
    let lock = fs::read_to_string(tree().join("Cargo.lock")).unwrap();
    let own = "\n[[package]]\nname = \"agent\"\nversion = \"1.0.0\"\ndependencies = [\"serde\"]\n";
    for (path, text) in [
        ("Cargo.toml", "[workspace]\nmembers = [\"agent\"]\nresolver = \"3\"\n"),
        ("Cargo.lock", &(lock + own)),
        (
            "agent/Cargo.toml",
            "[package]\nname = \"agent\"\nversion = \"1.0.0\"\nedition = \"2024\"\n\
             [dependencies]\nserde = { version = \"1\", features = [\"derive\"] }\n",
        ),
        ("agent/build.rs", "fn main() { println!(\"cargo::rustc-env=WORD=built\") }"),
        (
            "agent/src/main.rs",
            "#[derive(serde::Serialize)] struct Empty;\n\
             fn main() { let _: &dyn Fn(Empty) = &|_| {}; println!(\"{} on {} threads\", env!(\"WORD\"),\n\
             std::thread::spawn(|| 2).join().unwrap()) }",
        ),
    ] {
        fs::write(workspace.join(path), text).unwrap();
    }
    let compiled = Bench::new(&folder.path().join("cache")).compile_folder(&workspace, "agent").unwrap();
    let output = std::process::Command::new(compiled.path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "built on 2 threads\n");
}

#[test]
#[ignore = "needs the packages of tool set `rust`, with libstd-rust-dev, libc6-dev and libgcc-14-dev for arm64 too"]
fn the_init_for_another_architecture() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new(folder.path());
    let compiled = bench.compile_for(Arch::Arm64, &tree(), "geminios-init").unwrap();
    let bytes = fs::read(&compiled.path).unwrap();
    // e_machine is EM_AARCH64 (ELF for the Arm 64-bit architecture, section 5.1).
    assert_eq!((&bytes[..4], &bytes[18..20]), (&b"\x7fELF"[..], &[183, 0][..]));
    let error = bench.compile_for(Arch::Riscv64, &tree(), "geminios-init").unwrap_err().to_string();
    assert!(error.contains("cannot compile for riscv64: they have no usr/lib/rustlib/riscv64gc"), "{error}");
}
