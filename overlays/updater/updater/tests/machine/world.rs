//! A device in a folder: a disk with a real partition table, what the kernel says of it, an ESP, a clock that a test moves.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use geminios_slots::device::Source;
use geminios_slots::plan::{Policy, plan_install};
use geminios_slots::{Image, run};
use geminios_updater::args::Verb;
use geminios_updater::machine::{
    Access, Clock, Command, Commands, Host, Kernels, Machine, MachineError, OpenEsp, Outcome, Partition,
    Paths,
};
use geminios_updater::verbs;
use tempfile::TempDir;

use crate::system::System;
use crate::table;

/// 2026-11-27T12:00:00Z.
const START: u64 = 1_795_780_800;
const MIB: u64 = 1 << 20;
pub const SIZE: u64 = 16 * MIB;
const PARTITIONS: [&str; 7] = ["esp", "root-a", "root-a-verity", "root-b", "root-b-verity", "config", "var"];

pub struct World {
    pub folder: TempDir,
    pub uptime: Rc<Cell<Duration>>,
    pub answers: Rc<Answers>,
}

/// What programs say; by the beginning of their command line.
#[derive(Default)]
pub struct Answers {
    pub ran: RefCell<Vec<String>>,
    by: RefCell<BTreeMap<String, Outcome>>,
    when: RefCell<Option<When>>,
}

type When = (String, Box<dyn Fn()>);

pub fn says(stdout: &str) -> Outcome {
    Outcome { status: Some(0), stdout: stdout.to_owned(), ..Outcome::default() }
}

pub fn fails(stderr: &str) -> Outcome {
    Outcome { status: Some(1), stderr: stderr.to_owned(), ..Outcome::default() }
}

impl Answers {
    pub fn set(&self, beginning: &str, outcome: Outcome) {
        self.by.borrow_mut().insert(beginning.to_owned(), outcome);
    }

    /// Before such a command is answered.
    pub fn when(&self, beginning: &str, act: impl Fn() + 'static) {
        *self.when.borrow_mut() = Some((beginning.to_owned(), Box::new(act)));
    }
}

struct Told(Rc<Answers>);

impl Commands for Told {
    fn run(&self, command: &Command) -> Outcome {
        let line = command.to_string();
        self.0.ran.borrow_mut().push(line.clone());
        if let Some(at) = line.find("--file ") {
            fs::write(&line[at + 7..], "dump").unwrap();
        }
        match &*self.0.when.borrow() {
            Some((beginning, act)) if line.starts_with(beginning.as_str()) => act(),
            _ => {}
        }
        let by = self.0.by.borrow();
        let answer = by.iter().rev().find(|(beginning, _)| line.starts_with(beginning.as_str()));
        answer.map_or_else(|| says(""), |(_, outcome)| outcome.clone())
    }
}

struct Moved(Rc<Cell<Duration>>);

impl Clock for Moved {
    fn now(&self) -> u64 {
        START + self.0.get().as_secs()
    }
    fn uptime(&self) -> Duration {
        self.0.get()
    }
    fn sleep(&self, time: Duration) {
        self.0.set(self.0.get() + time);
    }
}

struct Folder(PathBuf);

impl OpenEsp for Folder {
    fn open(&self, _: &Partition, _: bool, _: &dyn Commands) -> Result<Kernels, MachineError> {
        Ok(Kernels::open(rustix::fs::CWD, &self.0).unwrap())
    }
}

pub struct Bytes(pub System);

impl Source for Bytes {
    fn read(&mut self, image: Image, at: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = match image {
            Image::Root => &self.0.root,
            Image::Verity => &self.0.verity,
            Image::Uki => &self.0.uki,
        };
        std::io::Read::read(&mut &bytes[at as usize..], buffer)
    }
}

impl World {
    /// As a builder writes it: `first` in slot A, with three tries.
    pub fn new(first: &System) -> World {
        let world = World { folder: TempDir::new().unwrap(), uptime: Rc::default(), answers: Rc::default() };
        world.answers.set("systemctl is-system-running", says("running\n"));
        world.make_disk(first);
        world.make_kernel_files();
        world.kernel(&format!("geminios_{}+3.efi", first.version), &first.uki);
        world.booted(first);
        world
    }

    pub fn path(&self, absolute: &str) -> PathBuf {
        self.paths().at(absolute)
    }

    pub fn paths(&self) -> Paths {
        Paths::below(self.folder.path())
    }

    pub fn write(&self, absolute: &str, text: &str) {
        let path = self.path(absolute);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn make_disk(&self, first: &System) {
        let path = self.path("/dev/vda");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let disk = fs::File::create(&path).unwrap();
        disk.set_len(SIZE).unwrap();
        let rows = rows(first);
        table::write(&disk, SIZE, 512, &rows);
        for (label, bytes) in [("root-a", &first.root), ("root-a-verity", &first.verity)] {
            let start = rows.iter().find(|row| row.0 == label).unwrap().2;
            std::os::unix::fs::FileExt::write_all_at(&disk, bytes, start).unwrap();
        }
    }

    /// As Linux 6.12 shows a virtio disk whose root is mapped by dm-verity.
    fn make_kernel_files(&self) {
        let disk = "/sys/devices/pci0000:00/virtio1/block/vda";
        self.write(&format!("{disk}/size"), &format!("{}\n", SIZE / 512));
        self.write(&format!("{disk}/queue/logical_block_size"), "512\n");
        for (number, label) in (1..).zip(PARTITIONS) {
            let folder = format!("{disk}/vda{number}");
            self.write(&format!("{folder}/partition"), &format!("{number}\n"));
            self.write(&format!("{folder}/dev"), &format!("254:{number}\n"));
            self.write(
                &format!("{folder}/uevent"),
                &format!("DEVNAME=vda{number}\nPARTN={number}\nPARTNAME={label}\n"),
            );
        }
        let slaves = self.path("/sys/dev/block/253:0/slaves");
        fs::create_dir_all(&slaves).unwrap();
        for name in ["vda2", "vda3"] {
            std::os::unix::fs::symlink(self.path(&format!("{disk}/{name}")), slaves.join(name)).unwrap();
        }
        self.write(
            "/proc/self/mountinfo",
            "22 1 253:0 / / ro,relatime - erofs /dev/dm-0 ro\n23 22 0:21 / /proc rw - proc proc rw\n",
        );
    }

    /// A file in EFI/Linux.
    pub fn kernel(&self, name: &str, bytes: &[u8]) {
        let path = self.path("/esp").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Names in EFI/Linux.
    pub fn kernels(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("/esp")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What a kernel that was started with this system says, and what its image says.
    pub fn booted(&self, system: &System) {
        self.uptime.set(Duration::from_secs(20));
        self.write("/proc/cmdline", &format!("console=ttyS0 roothash={} quiet\n", system.hash));
        let image = format!(
            r#"{{"format": 1, "profile": "edge", "board": "generic-x86-uefi", "arch": "amd64", "version": "{}",
                "built": 1795700000, "boot": "bls-count",
                "data": {{"postgresql": 17, "kine_schema": 1, "kubernetes_minor": 37}}}}"#,
            system.version
        );
        self.write("/usr/lib/geminios/image.json", &image);
    }

    /// systemd-boot starts this kernel, counts its tries down by renaming it, and its system comes up.
    pub fn boot(&self, name: &str, system: &System) {
        let (stem, counter) =
            name.strip_suffix(".efi").unwrap().split_once('+').unwrap_or((&name[..name.len() - 4], ""));
        if !counter.is_empty() {
            let (left, done) = counter.split_once('-').unwrap_or((counter, "0"));
            let (left, done): (u32, u32) = (left.parse().unwrap(), done.parse().unwrap());
            let to = format!("{stem}+{}-{}.efi", left.saturating_sub(1), done + 1);
            fs::rename(self.path("/esp").join(name), self.path("/esp").join(to)).unwrap();
        }
        self.booted(system);
    }

    pub fn host(&self) -> Host {
        Host {
            paths: self.paths(),
            esp: Box::new(Folder(self.path("/esp"))),
            commands: Box::new(Told(self.answers.clone())),
            clock: Box::new(Moved(self.uptime.clone())),
        }
    }

    pub fn machine(&self) -> Machine {
        Machine::open(&self.host(), "test", Access::Change, Duration::ZERO).unwrap()
    }

    /// Runs a verb; what it printed, then its error if it failed.
    pub fn run(&self, verb: &Verb) -> String {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let told = lines.clone();
        let done = verbs::run(
            &self.host(),
            verb,
            &(Rc::new(move |line: &str| told.borrow_mut().push(line.to_owned())) as _),
        );
        let mut text: String = lines.borrow().iter().map(|line| format!("{line}\n")).collect();
        if let Err(failure) = done {
            text.push_str(&format!("geminios-updater: {failure}\n"));
        }
        text.replace(&*self.folder.path().to_string_lossy(), "")
    }

    /// The version that runs is healthy and blessed.
    pub fn bless(&self) {
        let said = self.run(&Verb::Bless { now: true });
        assert!(said.contains("is blessed: "), "{said}");
    }

    /// Installs a system into the other slot, as `install` does it.
    pub fn install(&self, system: &System) {
        let mut machine = self.machine();
        let (_, seen) = machine.recover().unwrap();
        let steps =
            plan_install(&seen, &*machine.backend, &system.release(), Policy { force: false }).unwrap();
        run(&steps, &mut machine.device, &mut Bytes(system.clone())).unwrap();
    }
}

/// One MiB each, at as many MiB as their number.
pub fn rows(first: &System) -> Vec<table::Row> {
    (1..).zip(PARTITIONS).map(|(n, label)| (label, guid(label, first), n * MIB, MIB)).collect()
}

fn guid(label: &str, first: &System) -> [u8; 16] {
    match label {
        "root-a" => first.hash.root_uuid(),
        "root-a-verity" => first.hash.verity_uuid(),
        _ => std::array::from_fn(|i| (label.len() * 16 + i) as u8 ^ label.as_bytes()[i % label.len()]),
    }
}
