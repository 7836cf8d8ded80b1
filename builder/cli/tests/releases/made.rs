//! A folder with small builds as `geminios build` leaves them, and the command run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use geminios_boot::{EspFile, write_esp};
use geminios_disk::{Outputs, Plan, write};
use geminios_model::{Arch, Digest, Located, Silent, Sizes};
use geminios_seal::{Region, Sealed, Verity};
use serde_json::{Value, json};

#[path = "../../../../overlays/updater/format/tests/shared/content.rs"]
mod content;
#[path = "../../../../overlays/updater/format/tests/shared/folders.rs"]
mod folders;

pub use content::content;
use folders::scratch;
pub use folders::tree;

pub const GEMINIOS: &str = env!("CARGO_BIN_EXE_geminios");

/// What the clock says, unless a test says otherwise.
pub const NOW: &str = "2026-11-27T12:00:00Z";

/// As an update changes a root.
pub fn changed(old: &[u8]) -> Vec<u8> {
    let third = old.len() / 3;
    let mut new = content(77, 40_000);
    new.extend(&old[..third]);
    new.extend(&old[third + 50_000..]);
    new.truncate(new.len() / 4096 * 4096);
    new
}

/// The folder that a person works in.
pub struct Desk(tempfile::TempDir);

impl Desk {
    pub fn new() -> Self {
        Desk(scratch())
    }

    /// With keys, and two builds that are published to `repo`.
    pub fn published() -> Self {
        let desk = Desk::new();
        desk.done("keys init keys");
        desk.two_builds();
        for version in ["1.0.0", "1.1.0"] {
            desk.done(&format!("publish build-{version} --repo repo --keys keys --level 1"));
        }
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Folders `build-1.0.0` and `build-1.1.0`.
    pub fn two_builds(&self) {
        let old = content(1, 1 << 20);
        self.build("1.0.0", &old);
        self.build("1.1.0", &changed(&old));
    }

    /// Folder `build-VERSION`.
    pub fn build(&self, version: &str, root: &[u8]) -> PathBuf {
        let dir = self.path(&format!("build-{version}"));
        fs::create_dir_all(&dir).unwrap();
        let (sealed, uki) = sealed(&dir, version, root);
        let image = image(&dir, version, &sealed, &uki);
        let (name, bill) = (format!("edge-{version}-pc.cdx.json"), format!("{{\"of\": \"{version}\"}}"));
        fs::write(dir.join(&name), &bill).unwrap();
        fs::write(dir.join(format!("edge-{version}-pc.efi")), &uki).unwrap();
        let part = |bytes: &[u8]| json!({"size": bytes.len(), "sha256": Digest::of(bytes)});
        let file =
            |name: String, part: Value| json!({"name": name, "size": part["size"], "sha256": part["sha256"]});
        let manifest = json!({
            "format": 1, "profile": "edge", "version": version, "board": "pc", "architecture": "amd64",
            "lock_digest": Digest::of("lock"), "root_hash": sealed.root_hash, "source_date_epoch": 1_795_000_000,
            "versions": {}, "installed": {},
            "data": {"postgresql": 17, "kine_schema": 1, "kubernetes_minor": 34},
            "parts": {
                "root": part(root), "uki": part(&uki),
                "root-verity": part(&fs::read(&sealed.verity).unwrap()),
            },
            "files": {
                "image": file(image.0, json!({"size": image.1, "sha256": image.2})),
                "uki": file(format!("edge-{version}-pc.efi"), part(&uki)),
                "sbom": file(name, part(bill.as_bytes())),
            },
        });
        fs::write(dir.join("manifest.json"), manifest.to_string()).unwrap();
        dir
    }

    /// Changes a build's manifest.
    pub fn edit_manifest(&self, build: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path(build).join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        fs::write(path, manifest.to_string()).unwrap();
    }

    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(GEMINIOS);
        command.current_dir(self.0.path()).args(words.split(' ')).env("CI", "1");
        // What asks for the time is told it.
        let timed =
            ["keys init", "keys rotate", "publish", "verify"].iter().any(|verb| words.starts_with(verb));
        if timed && !words.contains("--clock") && !words.contains("--help") {
            command.args(["--clock", NOW]);
        }
        command
    }

    pub fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs what must succeed; what it printed.
    pub fn done(&self, words: &str) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs what must fail with status 1; what it said.
    pub fn refused(&self, words: &str) -> String {
        let output = self.run(words);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        said
    }

    /// A command, and all that a person then sees: standard error, then standard output. Times and keys are another each run.
    pub fn told(&self, words: &str) -> String {
        let output = self.run(words);
        let status = match output.status.code() {
            Some(0) => String::new(),
            code => format!("status {}\n", code.unwrap_or(-1)),
        };
        let (said, printed) =
            (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
        format!("$ geminios {words}\n{}{}{status}", calm(&said), calm(&printed))
    }
}

/// Puts words in the place of what differs from run to run: seconds, ids of keys, digests; and without temporary names.
pub fn calm(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        if line.ends_with(" s)")
            && let Some(at) = line.rfind(" (")
        {
            line.truncate(at);
        }
        if let Some(at) = line.find(" at path ") {
            line.truncate(at);
        }
        let words: Vec<&str> = line.split(' ').map(|word| if is_id(word) { "KEY" } else { word }).collect();
        out += &words.join(" ");
        out.push('\n');
    }
    out
}

fn is_id(word: &str) -> bool {
    word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn sealed(dir: &Path, version: &str, root: &[u8]) -> (Sealed, Vec<u8>) {
    let (erofs, verity) = (dir.join(".root"), dir.join(".verity"));
    fs::write(&erofs, root).unwrap();
    let tree = Verity::write(&Region::whole(&erofs).unwrap(), [3; 32], &verity).unwrap();
    let (erofs_size, verity_size) = (root.len() as u64, tree.size());
    let sealed = Sealed { erofs, erofs_size, verity, verity_size, root_hash: tree.root_hash };
    // No program, but as long as one: nothing is started here.
    (sealed, content(version.bytes().map(u64::from).sum(), 100_000))
}

/// The disk image: name, size and digest.
fn image(dir: &Path, version: &str, sealed: &Sealed, uki: &[u8]) -> (String, u64, Digest) {
    let esp = dir.join(".esp");
    drop(fs::remove_file(&esp));
    let files = EspFile::for_uefi(Arch::Amd64, version, uki.to_vec(), b"loader");
    write_esp(&files, 34 << 20, 7, 1_700_000_000, &esp).unwrap();
    let mib = Located::nowhere;
    let sizes = Sizes { esp: mib(34), root: mib(4), root_verity: mib(1), config: mib(1), var_min: mib(8) };
    let plan = Plan::new("edge", Arch::Amd64, &sizes, sealed, &esp).unwrap();
    let name = format!("edge-{version}-pc.img");
    let Outputs { image, .. } = write(&plan, dir, &name, false, &Silent).unwrap();
    (name, image.size, image.sha256)
}
