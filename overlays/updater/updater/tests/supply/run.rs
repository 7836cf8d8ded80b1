//! Runs a verb on a device in a folder, and keeps what it says.

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use geminios_slots::{BlsCount, RootHash};
use geminios_update_format::UnixTime;
use geminios_updater::config::Config;
use geminios_updater::image::Image;
use geminios_updater::supply::{Limits, Stick, Sticks, Tell};
use geminios_updater::verbs::install::{Installed, Options};
use geminios_updater::verbs::session::{Problem, Session, Wanted};
use geminios_updater::verbs::{check, install};

use crate::machine::FileDevice;
use crate::world::{NOW, System, World, device, io_box};

/// A device of its own, and how it is spoken to.
pub struct Site {
    pub dir: PathBuf,
    /// Its folder goes with it.
    pub _temporary: Option<tempfile::TempDir>,
    pub image: Image,
    pub config: Config,
    pub running: RootHash,
    pub now: UnixTime,
    pub limits: Limits,
    pub read_only: bool,
    pub room: u64,
    pub progress: u64,
    /// What the snapshot of the data says.
    pub snapshot: Result<(), String>,
    pub sticks: Vec<PathBuf>,
    pub said: Rc<RefCell<Vec<String>>>,
}

/// Folders in the place of sticks.
struct Plugged(Vec<PathBuf>);

impl Sticks for Plugged {
    fn plugged(&self, _: &Tell) -> Vec<Stick> {
        let stick = |(number, folder): (usize, &PathBuf)| Stick {
            folder: folder.clone(),
            name: format!("stick {}", number + 1),
            mount: None,
        };
        self.0.iter().enumerate().map(stick).collect()
    }
}

/// As /usr/lib/geminios/image.json would have it.
pub fn image(first: &System, dir: &Path) -> Image {
    let build = &first.build;
    let text = format!(
        r#"{{"format": 1, "profile": "{}", "board": "{}", "arch": "{}", "version": "{}", "built": {}, "boot": "bls-count",
            "data": {{"postgresql": 17, "kine_schema": 1, "kubernetes_minor": 34}}}}"#,
        build.profile, build.board, build.arch, build.version, build.built
    );
    let path = dir.join("image.json");
    std::fs::write(&path, text).unwrap();
    Image::read(&path).unwrap()
}

impl Site {
    pub fn new(world: &World) -> Site {
        let temporary = tempfile::tempdir().unwrap();
        device(temporary.path(), world, &world.old);
        let site = Site::at(temporary.path(), &world.old);
        Site { _temporary: Some(temporary), ..site }
    }

    /// A device that is there already.
    fn at(dir: &Path, old: &System) -> Site {
        drop(image(old, dir));
        Site::running(dir, old.hash())
    }

    /// One that says itself what it runs.
    pub fn running(dir: &Path, running: RootHash) -> Site {
        Site {
            image: Image::read(&dir.join("image.json")).unwrap(),
            config: Config { channel: "stable".to_owned(), ..Config::default() },
            running,
            now: NOW,
            limits: Limits {
                stall: Duration::from_secs(1),
                lowest: 1,
                pause: [Duration::from_millis(1); 2],
                failures: Some(3),
                ..Limits::default()
            },
            read_only: false,
            room: 1 << 30,
            progress: 1 << 20,
            snapshot: Ok(()),
            sticks: Vec::new(),
            said: Rc::default(),
            dir: dir.to_owned(),
            _temporary: None,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.clone()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Session<'_>) -> T) -> T {
        let dir = self.path();
        let mut device = FileDevice::open(&dir);
        (device.read_only, device.room, device.progress) = (self.read_only, self.room, self.progress);
        let said = self.said.clone();
        let tell: Tell = Rc::new(move |line: &str| said.borrow_mut().push(line.to_owned()));
        let disk = || io_box(File::open(dir.join("disk"))?);
        let kernel = |name: &str| io_box(File::open(dir.join("esp").join(name))?);
        let mut session = Session {
            image: &self.image,
            config: &self.config,
            folder: dir.join("state"),
            root_of_trust: dir.join("root.json"),
            now: self.now,
            device: &mut device,
            backend: &BlsCount,
            running: self.running,
            disk: &disk,
            kernel: &kernel,
            sticks: &Plugged(self.sticks.clone()),
            limits: self.limits.clone(),
            tell,
        };
        work(&mut session)
    }

    pub fn install_with(&self, options: &Options) -> Result<Installed, Problem> {
        let snapshot = self.snapshot.clone();
        let said = self.said.clone();
        let mut take = |version: &str| {
            said.borrow_mut().push(format!("(snapshot for {version})"));
            snapshot.clone()
        };
        self.with(|session| install::install(session, options, &mut take))
    }

    pub fn install(&self, from: &str) -> Result<Installed, Problem> {
        self.install_with(&from_place(from))
    }

    pub fn check(&self, from: &str) -> Result<u8, Problem> {
        let wanted = from_place(from).wanted;
        self.with(|session| check::check(session, &wanted))
    }

    /// All that a person saw of a run: what was said, and how it ended.
    pub fn shown<T: std::fmt::Debug>(&self, result: &Result<T, Problem>) -> String {
        let mut lines = self.said();
        match result {
            Ok(done) => lines.push(format!("= {done:?}")),
            Err(problem) => lines.push(format!("error: {problem}\n= status {}", problem.status())),
        }
        let text = lines.join("\n") + "\n";
        text.replace(&self.path().display().to_string(), "/site")
    }

    /// What was said since the last time.
    pub fn said(&self) -> Vec<String> {
        self.said.borrow_mut().drain(..).collect()
    }
}

pub fn from_place(from: &str) -> Options {
    let wanted = Wanted { from: Some(from.parse().unwrap()), ..Wanted::default() };
    Options { wanted, ..Options::default() }
}
