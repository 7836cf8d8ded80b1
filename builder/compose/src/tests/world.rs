use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use geminios_fetch::Blob;
use geminios_model::{
    Board, Digest, Lock, LockedPackage, LockedScript, Overlay, Profile, ScriptKind, ScriptTable, Source,
    TreePath, parse,
};
use geminios_unpack::{Control, Member, MemberKind, Package, written_part};
use tempfile::TempDir;

use crate::compose::{Assembled, assemble};
use crate::{BuiltImage, BuiltProgram, Content, Inputs, OverlaySource};

/// A time stamp no file may be younger than.
pub const EPOCH: u64 = 1_000_000_000;

const PROFILE: &str = r#"name = "edge"
description = "A test"
version = "1.0"
boards = ["pc"]
overlays = ["base"]

[[archive]]
name = "debian"
suites = ["stable"]
components = ["main"]
keys = ["k.asc"]

[sizes]
esp = 1
root = 1
root-verity = 1
config = 1
var-min = 1
"#;

const BOARD: &str = r#"name = "pc"
description = "A test"
architecture = "amd64"
firmware = "uefi"
boot = "bls-count"
consoles = ["ttyS0"]
initrd-modules = ["ahci"]

[qemu]
program = "q"
machine = "m"
cpu = "c"
firmware-code = "f"
firmware-vars = "v"
"#;

/// Everything an image is composed of, in a folder that goes when the test ends.
pub struct World {
    pub dir: TempDir,
    pub packages: Vec<(LockedPackage, Package)>,
    pub overlays: Vec<OverlaySource>,
    pub scripts: String,
    pub images: Vec<BuiltImage>,
}

/// A line of a package: `("/usr/bin/x", F(0o755, "text"))`.
pub enum Kind<'a> {
    /// A folder with its mode.
    D(u32),
    /// A file with its mode and text.
    F(u32, &'a str),
    /// A symbolic link.
    L(&'a str),
    /// A hard link.
    H(&'a str),
}
pub use Kind::{D, F, H, L};

impl World {
    /// The packages without which nothing can be composed.
    pub fn new() -> World {
        let mut world = World {
            dir: TempDir::new().unwrap(),
            packages: Vec::new(),
            overlays: Vec::new(),
            scripts: String::new(),
            images: Vec::new(),
        };
        world.package(
            "base-files",
            &[
                ("/", D(0o755)),
                ("/bin", L("usr/bin")),
                ("/lib", L("usr/lib")),
                ("/etc", D(0o755)),
                ("/etc/os-release", L("../usr/lib/os-release")),
                ("/usr", D(0o755)),
                ("/usr/bin", D(0o755)),
                ("/usr/lib", D(0o755)),
                ("/usr/lib/os-release", F(0o644, "NAME=Debian\n")),
            ],
        );
        world.package(
            "base-passwd",
            &[
                ("/usr/share/base-passwd/group.master", F(0o644, "root:*:0:\nshadow:*:42:\nstaff:*:50:\n")),
                ("/usr/share/base-passwd/passwd.master", F(0o644, "root:*:0:0:root:/root:/bin/bash\n")),
            ],
        );
        world.package(
            "linux-image-6.12.57-amd64",
            &[
                ("/boot/vmlinuz-6.12.57-amd64", F(0o644, "kernel")),
                ("/boot/System.map-6.12.57-amd64", F(0o644, "map")),
                (
                    "/usr/lib/modules/6.12.57-amd64/modules.builtin",
                    F(0o644, "kernel/drivers/tty/serial/8250/8250.ko\n"),
                ),
            ],
        );
        world.package(
            "systemd-boot-efi",
            &[
                ("/usr/lib/systemd/boot/efi/linuxx64.efi.stub", F(0o644, "stub")),
                ("/usr/lib/systemd/boot/efi/systemd-bootx64.efi", F(0o644, "loader")),
            ],
        );
        world
    }

    /// Adds a package; files are younger than the lock. Returns it for more.
    pub fn package(&mut self, name: &str, members: &[(&str, Kind<'_>)]) -> &mut (LockedPackage, Package) {
        let path = self.dir.path().join(format!("{name}.data"));
        let mut data = String::new();
        let members = members.iter().map(|(path, kind)| member(path, kind, &mut data)).collect();
        fs::write(&path, &data).unwrap();
        let data = Blob { digest: Digest::of(&data), size: data.len() as u64, path };
        let control = Control { fields: BTreeMap::new(), scripts: BTreeMap::new() };
        self.packages.push((locked(name), Package { control, members, data }));
        self.packages.last_mut().unwrap()
    }

    /// Gives the package that was added last a maintainer script, locked as it is.
    pub fn script(&mut self, kind: ScriptKind, text: &str) {
        let (locked, package) = self.packages.last_mut().unwrap();
        let written = written_part(text.as_bytes()).map(Digest::of);
        locked.scripts.push(LockedScript { kind, sha256: Digest::of(text), written });
        package.control.scripts.insert(kind, text.as_bytes().to_vec());
    }

    /// Adds an overlay: the body of its overlay.toml and its rootfs files. One whose text begins with `#!` is executable.
    pub fn overlay(&mut self, name: &str, body: &str, files: &[(&str, &str)]) {
        let dir = self.dir.path().join(name);
        for (path, text) in files {
            let file = dir.join("rootfs").join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            match text.strip_prefix("-> ") {
                Some(target) => std::os::unix::fs::symlink(target, &file).unwrap(),
                None => fs::write(&file, text).unwrap(),
            }
            if text.starts_with("#!") {
                fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
            }
        }
        self.overlays.push(load(name, body, &dir));
    }

    /// Calls `act` with all that is needed to compose.
    pub fn with_inputs<T>(&self, act: impl FnOnce(&Inputs<'_>) -> T) -> T {
        let profile: Profile = parse(&Source::new("profiles/edge.toml", PROFILE)).unwrap();
        let board_source = Source::new("boards/pc.toml", BOARD);
        let board: Board = parse(&board_source).unwrap();
        let scripts_source = Source::new("overlays/scripts.toml", self.scripts.as_str());
        let scripts: ScriptTable = parse(&scripts_source).unwrap();
        let lock = Lock {
            profile: "edge".into(),
            wishes: Digest::of("wishes"),
            source_date_epoch: EPOCH,
            archives: Vec::new(),
            packages: self.packages.iter().map(|(locked, _)| locked.clone()).collect(),
            images: Vec::new(),
        };
        let programs: Vec<BuiltProgram> = self.overlays.iter().flat_map(programs).collect();
        act(&Inputs {
            profile: &profile,
            board: &board,
            board_source: &board_source,
            lock: &lock,
            overlays: &self.overlays,
            packages: &self.packages,
            programs: &programs,
            images: &self.images,
            scripts: &scripts,
            scripts_source: &scripts_source,
            root_of_trust: None,
        })
    }

    /// Composes as far as it goes without programs, and calls `look`.
    pub fn assembled<T>(&self, look: impl FnOnce(&Assembled<'_>) -> T) -> T {
        self.with_inputs(|inputs| match assemble(inputs) {
            Ok(assembled) => look(&assembled),
            Err(error) => panic!("{error}"),
        })
    }

    /// Lines of the tree's listing about these paths and what is below them.
    pub fn listing(&self, paths: &[&str]) -> String {
        let all = self.assembled(|a| a.root.listing());
        let about = |line: &&str| {
            let path = line.split(": ").next().unwrap();
            paths.iter().any(|p| path == *p || path.starts_with(&format!("{p}/")))
        };
        all.lines().filter(about).map(|line| format!("{line}\n")).collect()
    }

    /// The text of a file.
    pub fn text(&self, path: &str) -> String {
        let bytes = self.assembled(|a| {
            let entry = a.root.get(&TreePath::new(path).unwrap()).expect("no such path");
            entry.content().expect("no file").read().unwrap()
        });
        String::from_utf8(bytes).unwrap()
    }

    /// What a user is told. Panics if there is nothing wrong.
    pub fn error(&self) -> String {
        self.with_inputs(|inputs| match assemble(inputs) {
            Ok(_) => panic!("it was composed"),
            Err(error) => error.to_string(),
        })
    }
}

/// Reads an overlay as the command does, with the short path that messages show.
pub fn load(name: &str, body: &str, dir: &Path) -> OverlaySource {
    let text = format!("name = \"{name}\"\ndescription = \"A test\"\n{body}");
    let source = Source::new(format!("overlays/{name}/overlay.toml"), text);
    let overlay: Overlay = parse(&source).unwrap_or_else(|error| panic!("{error}"));
    OverlaySource::load(overlay, source, dir).unwrap()
}

fn programs(source: &OverlaySource) -> Vec<BuiltProgram> {
    let built = |program: &geminios_model::Program| BuiltProgram {
        overlay: source.name().to_owned(),
        program: program.clone(),
        content: Content::from("program"),
    };
    source.overlay.programs.iter().map(built).collect()
}

fn member(path: &str, kind: &Kind<'_>, data: &mut String) -> Member {
    let (kind, mode) = match kind {
        D(mode) => (MemberKind::Directory, *mode),
        L(target) => (MemberKind::Symlink((*target).to_owned()), 0o777),
        H(target) => (MemberKind::Hardlink(TreePath::new(target).unwrap()), 0o644),
        F(mode, text) => {
            let offset = data.len() as u64;
            data.push_str(text);
            (MemberKind::File { offset, size: text.len() as u64 }, *mode)
        }
    };
    Member { path: TreePath::new(path).unwrap(), kind, mode, uid: 0, gid: 0, mtime: EPOCH + 5 }
}

fn locked(name: &str) -> LockedPackage {
    LockedPackage {
        name: name.into(),
        version: "1".into(),
        architecture: "amd64".into(),
        sets: BTreeMap::from([("image".into(), "@base".into())]),
        archive: "debian".into(),
        filename: format!("pool/{name}.deb"),
        size: 1,
        sha256: Digest::of(name),
        source: (name.into(), "1".into()),
        scripts: Vec::new(),
    }
}
