//! Two small systems, a repository with both, and a device that runs the first.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use geminios_model::Silent;
use geminios_release::encode::Levels;
use geminios_release::keys::{self, Keys};
use geminios_release::{Build, Lifetimes, Part, Repository, Request};
use geminios_seal::{Region, Verity};
use geminios_slots::device::JournalFile;
use geminios_slots::{Event, Journal, RootHash};
use geminios_update_format::metadata::RoleName;
use geminios_update_format::release::DataContract;
use geminios_update_format::time::DAY;
use geminios_update_format::{Digest, UnixTime};
use semver::Version;

use crate::gpt;
use crate::machine::{FileDevice, Pages, SECTOR};

/// 2026-11-27T12:00:00Z, a Friday.
pub const NOW: UnixTime = 1_795_780_800;
/// Bytes of a root's partition. Nothing of it is taken up that is not written to.
pub const ROOT_SIZE: usize = 40 << 20;
const ESP: usize = 1 << 20;
const PARTITIONS: [(&str, usize); 7] = [
    ("esp", 1 << 20),
    ("root-a", ROOT_SIZE),
    ("root-a-verity", 1 << 20),
    ("root-b", ROOT_SIZE),
    ("root-b-verity", 1 << 20),
    ("config", 64 << 10),
    ("var", 64 << 10),
];

/// A system as it was built.
#[derive(Clone)]
pub struct System {
    pub build: Build,
    pub root: Vec<u8>,
    pub verity: Vec<u8>,
    pub uki: Vec<u8>,
}

#[path = "../../../format/tests/shared/content.rs"]
mod content;

pub use content::content;

/// Something inserted, removed and changed; a megabyte of it twice; the length a multiple of 4096.
pub fn changed(old: &[u8]) -> Vec<u8> {
    let third = old.len() / 3;
    let mut new = content(77, 40_000);
    new.extend(&old[..third]);
    new.extend(&old[third + 50_000..]);
    let at = new.len() / 2;
    new[at..at + 300_000].copy_from_slice(&content(78, 300_000));
    let again = new[at..at + 200_000].to_vec();
    new.splice(at + 600_000..at + 800_000, again);
    new.truncate(new.len() / 4096 * 4096);
    new
}

/// A PE program with the sections that matter.
fn uki(version: &str, hash: &RootHash) -> Vec<u8> {
    let release =
        format!("ID=geminios\nVERSION_ID=\"{version}\"\nIMAGE_ID=\"edge\"\nIMAGE_VERSION=\"{version}\"\n");
    let cmdline = format!("quiet roothash={hash} console=ttyS0");
    let kernel = content(5, 200_000);
    let sections: [(&[u8; 8], &[u8]); 3] =
        [(b".osrel\0\0", release.as_bytes()), (b".linux\0\0", &kernel), (b".cmdline", cmdline.as_bytes())];
    let mut out = vec![0; 0x400];
    let put = |out: &mut Vec<u8>, at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut out, 0, b"MZ");
    put(&mut out, 60, &128u32.to_le_bytes());
    put(&mut out, 128, b"PE\0\0\x64\x86\x03\0");
    put(&mut out, 128 + 20, &240u16.to_le_bytes());
    for (i, (name, data)) in sections.iter().enumerate() {
        let (at, place) = (128 + 24 + 240 + i * 40, out.len() as u32);
        put(&mut out, at, *name);
        put(&mut out, at + 8, &(data.len() as u32).to_le_bytes());
        put(&mut out, at + 16, &(data.len() as u32).to_le_bytes());
        put(&mut out, at + 20, &place.to_le_bytes());
        out.extend(*data);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}

impl System {
    pub fn new(dir: &Path, version: &str, root: Vec<u8>) -> System {
        let dir = dir.join(version);
        fs::create_dir_all(&dir).unwrap();
        let file = |name: &str, bytes: &[u8]| {
            fs::write(dir.join(name), bytes).unwrap();
            dir.join(name)
        };
        let image = file("root", &root);
        let tree = Verity::write(&Region::whole(&image).unwrap(), [3; 32], &dir.join("verity")).unwrap();
        let uki = uki(version, &RootHash(*tree.root_hash.bytes()));
        let part = |name: &str| Part::of_file(&dir.join(name)).unwrap();
        file("uki", &uki);
        let notes = format!("# {version}\n\nWhat is new in it.\n\u{1b}[31mNot red.\n");
        let build = Build {
            version: Version::parse(version).unwrap(),
            profile: "edge".to_owned(),
            board: "pc".to_owned(),
            arch: "amd64".to_owned(),
            root_hash: Digest(*tree.root_hash.bytes()),
            built: NOW - DAY,
            updater: 1,
            data: DataContract {
                postgresql: 17,
                postgresql_converts: vec![],
                kine_schema: 1,
                kubernetes_minor: 34,
                from: None,
            },
            root: part("root"),
            verity: part("verity"),
            uki: part("uki"),
            sbom: None,
            notes: Some(file("notes.md", notes.as_bytes())),
        };
        let verity = fs::read(dir.join("verity")).unwrap();
        System { build, root, verity, uki }
    }

    pub fn hash(&self) -> RootHash {
        RootHash(self.build.root_hash.0)
    }
}

/// Keys, a repository and the systems in it.
pub struct World {
    pub dir: tempfile::TempDir,
    pub root: Vec<u8>,
    pub old: System,
    pub new: System,
}

impl World {
    pub fn empty() -> World {
        let root = content(1, 9 << 20);
        World::of(root.clone(), changed(&root))
    }

    /// Keys, and two systems with these roots.
    pub fn of(old: Vec<u8>, new: Vec<u8>) -> World {
        let dir = tempfile::tempdir().unwrap();
        let roles = RoleName::ALL.into_iter().map(|role| (role, (1, 1))).collect::<BTreeMap<_, _>>();
        let root = keys::init(&dir.path().join("keys"), &roles, NOW - DAY, 3650 * DAY).unwrap();
        let old = System::new(dir.path(), "1.0.0", old);
        let new = System::new(dir.path(), "1.1.0", new);
        World { dir, root, old, new }
    }

    /// One with both releases, made once. Nobody changes it.
    pub fn shared() -> &'static World {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let world = World::empty();
            world.publish(&world.old.build, "stable");
            world.publish(&world.new.build, "stable");
            world
        })
    }

    pub fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    pub fn repository(&self) -> Repository {
        Repository::create(&self.repo(), &self.root).unwrap()
    }

    pub fn keys(&self) -> Keys {
        Keys::open(&self.dir.path().join("keys")).unwrap()
    }

    pub fn publish(&self, build: &Build, channel: &str) {
        let levels = Levels { whole: 3, delta: 3, chunks: 3 };
        let (keys, lifetimes) = (self.keys(), Lifetimes::default());
        let request = Request { build, channel, deltas: 2, levels, now: NOW, lifetimes, keys: &keys };
        self.repository().publish(&request, &Silent).unwrap();
    }

    /// The new release as one file, without deltas.
    pub fn bundle(&self, to: &Path) {
        use geminios_release::bundle::{Wanted, write};
        let wanted = Wanted { profile: "edge", board: "pc", version: &self.new.build.version, deltas: &[] };
        write(&self.repository(), &wanted, &mut File::create(to).unwrap()).unwrap();
    }

    /// A copy of the repository that may be changed.
    pub fn copy(&self, to: &Path) {
        copy(&self.repo(), to);
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            assert!(fs::copy(entry.path(), target).is_ok())
        }
    }
}

/// Where a partition begins.
pub fn start(label: &str) -> u64 {
    let before = PARTITIONS.iter().take_while(|(name, _)| *name != label);
    (ESP + before.map(|(_, size)| size).sum::<usize>()) as u64
}

/// Makes the device that runs `first`, blessed, in slot A; its firmware's counter was seen to move.
pub fn device(dir: &Path, world: &World, first: &System) {
    fs::create_dir_all(dir.join("esp")).unwrap();
    fs::create_dir_all(dir.join("var")).unwrap();
    let size = ESP + PARTITIONS.iter().map(|(_, size)| size).sum::<usize>() + (1 << 20);
    let mut pages = Pages::create(&dir.join("disk"), size);
    let mut rows = Vec::new();
    for (name, size) in PARTITIONS {
        let (guid, at) = match name {
            "root-a" => (first.hash().root_uuid(), start(name)),
            "root-a-verity" => (first.hash().verity_uuid(), start(name)),
            _ => (
                std::array::from_fn(|i| (name.len() * 16 + i) as u8 ^ name.as_bytes()[i % name.len()]),
                start(name),
            ),
        };
        rows.push((name, guid, at as usize / SECTOR, size / SECTOR));
    }
    gpt::write(&mut pages, &rows);
    pages.write(start("root-a") as usize, &first.root);
    pages.write(start("root-a-verity") as usize, &first.verity);
    fs::write(dir.join("esp/geminios_1.0.0.efi"), &first.uki).unwrap();
    fs::write(dir.join("root.json"), &world.root).unwrap();
    let journal = Journal::default().after(&Event::CounterMoved("geminios_1.0.0+2-1.efi".to_owned()), None);
    let mut device = FileDevice::open(dir);
    device.write_temporary(&journal.encode().unwrap()).unwrap();
    device.rename().unwrap();
}

/// Whether the running system is as it was.
pub fn untouched(dir: &Path, first: &System) -> bool {
    let disk = File::open(dir.join("disk")).unwrap();
    let same = |label: &str, bytes: &[u8]| read(&disk, start(label), bytes.len()) == bytes;
    let kernel = fs::read(dir.join("esp/geminios_1.0.0.efi")).unwrap();
    same("root-a", &first.root) && same("root-a-verity", &first.verity) && kernel == first.uki
}

/// Whether slot B and its kernel are what was published.
pub fn installed(dir: &Path, new: &System) -> bool {
    let disk = File::open(dir.join("disk")).unwrap();
    let same = |label: &str, bytes: &[u8]| read(&disk, start(label), bytes.len()) == bytes;
    let kernel = fs::read(dir.join(format!("esp/geminios_{}+3.efi", new.build.version)));
    same("root-b", &new.root)
        && same("root-b-verity", &new.verity)
        && kernel.is_ok_and(|there| there == new.uki)
}

fn read(disk: &File, at: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    disk.read_exact_at(&mut bytes, at).unwrap();
    bytes
}

pub fn io_box(file: File) -> io::Result<Box<dyn geminios_updater::supply::ReadAt>> {
    Ok(Box::new(file))
}
