//! What we write by our own code is read by the field's tools: partition table, EFI system partition, hash tree, file
//! system, block map, sums. A tool that this host lacks is skipped with a word; GEMINIOS_ORACLES=required makes it fail.

#![allow(clippy::unwrap_used)]

mod project;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_fetch::Steps;
use geminios_model::{Arch, Digest, Lock, Source};
use geminios_unpack::ToolSet;
use project::{cache, done, folder, geminios, profile};
use serde_json::Value;

/// An image, and a place for copies of its parts.
struct Bench {
    scratch: tempfile::TempDir,
    out: PathBuf,
    manifest: Value,
    report: Value,
}

impl Bench {
    fn new() -> Self {
        let scratch = tempfile::tempdir_in(folder().join("target")).unwrap();
        let out = scratch.path().join("out");
        let run = |arguments: &[&str]| {
            let output = geminios(&folder(), arguments).output().unwrap();
            done(&output);
            output.stdout
        };
        let place = out.to_str().unwrap();
        run(&["build", profile().to_str().unwrap(), "--out", place]);
        let report =
            serde_json::from_slice(&run(&["inspect", place, "--files", "--format", "json"])).unwrap();
        let manifest = serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
        Bench { scratch, out, manifest, report }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.out.join(self.manifest["files"][kind]["name"].as_str().unwrap())
    }

    /// Copies a partition of the image, or its first `size` bytes.
    fn partition(&self, name: &str, size: Option<u64>) -> PathBuf {
        let list = self.report["partitions"].as_array().unwrap();
        let found = list.iter().find(|partition| partition["name"] == name).unwrap();
        let mut image = File::open(self.file("image")).unwrap();
        image.seek(SeekFrom::Start(found["start"].as_u64().unwrap())).unwrap();
        let mut part = image.take(size.unwrap_or_else(|| found["size"].as_u64().unwrap()));
        let path = self.path(name);
        io::copy(&mut part, &mut File::create(&path).unwrap()).unwrap();
        path
    }

    fn part_size(&self, name: &str) -> Option<u64> {
        self.manifest["parts"][name]["size"].as_u64()
    }
}

/// Runs a tool; whether it was content, and what it said. None if there is no such tool.
fn tool(command: &mut Command) -> Option<(bool, String)> {
    match command.output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "{command:?}: {error}");
            eprintln!("SKIPPED: this host has no {}", command.get_program().display());
            None
        }
        Err(error) => panic!("{command:?}: {error}"),
    }
}

fn content(command: &mut Command) {
    if let Some((content, said)) = tool(command) {
        assert!(content, "{command:?}:\n{said}");
    }
}

fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn the_fields_tools_read_what_was_built() {
    let bench = Bench::new();
    content(Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&bench.out));
    if let Some((_, said)) = tool(Command::new("sgdisk").arg("--verify").arg(bench.file("image"))) {
        assert!(said.contains("No problems found"), "{said}");
    }
    content(Command::new("fsck.vfat").arg("-n").arg(bench.partition("esp", None)));
    root_and_tree(&bench);
    file_system(&bench);
    block_map(&bench);
}

fn root_and_tree(bench: &Bench) {
    let root = bench.partition("root-a", bench.part_size("root"));
    let tree = bench.partition("root-a-verity", bench.part_size("root-verity"));
    let hash = bench.manifest["root_hash"].as_str().unwrap();
    let mut verify = Command::new("veritysetup");
    verify.arg("verify").args([&root, &tree]).arg(hash);
    content(&mut verify);
    flip(&root, 5_000_000);
    if let Some((content, said)) = tool(&mut verify) {
        assert!(!content, "veritysetup takes anything:\n{said}");
    }
    flip(&root, 5_000_000);
}

/// erofs-utils unpack the root: every file is there as our own reader, which is another, sees it.
fn file_system(bench: &Bench) {
    let lock_path = profile().with_extension("lock");
    let lock = Lock::parse(&Source::new(&lock_path, fs::read_to_string(&lock_path).unwrap())).unwrap();
    let steps = Steps::open(&cache()).unwrap();
    let tools =
        ToolSet::unpacked(&steps, Arch::Amd64, lock.set("build")).unwrap().expect("the build's tools");
    let out = bench.path("unpacked");
    let mut fsck = tools.command("fsck.erofs");
    // Whoever runs the tests may be no root: owners are looked at elsewhere.
    content(fsck.arg(format!("--extract={}", out.display())).arg("--no-preserve").arg(bench.path("root-a")));
    let files = bench.report["files"].as_object().unwrap();
    let mut compared = 0;
    for (path, entry) in files.iter().filter(|(_, entry)| entry["kind"] == "file") {
        let unpacked = File::open(out.join(path.trim_start_matches('/')));
        let (digest, _) =
            Digest::of_reader(unpacked.unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap();
        assert_eq!(entry["sha256"], digest.to_string(), "{path}");
        compared += 1;
    }
    assert!(compared > 1000, "{compared} files");
}

/// A disk that held something else before becomes the image: its old bytes are gone where they would matter.
fn block_map(bench: &Bench) {
    let disk = bench.path("disk");
    let mut file = File::create(&disk).unwrap();
    let size = fs::metadata(bench.file("image")).unwrap().len();
    io::copy(&mut io::repeat(0xee).take(size), &mut file).unwrap();
    let mut copy = Command::new("bmaptool");
    copy.arg("copy").arg("--bmap").args([bench.file("bmap"), bench.file("image"), disk.clone()]);
    let Some((content, said)) = tool(&mut copy) else { return };
    assert!(content, "{said}");
    done(&geminios(&folder(), &["inspect", disk.to_str().unwrap()]).output().unwrap());
    let list = bench.report["partitions"].as_array().unwrap();
    let config = list.iter().find(|partition| partition["name"] == "config").unwrap();
    let mut start = vec![1; 2 << 20];
    File::open(&disk).unwrap().read_exact_at(&mut start, config["start"].as_u64().unwrap()).unwrap();
    assert!(start.iter().all(|byte| *byte == 0), "the identity of another device is left");
}
