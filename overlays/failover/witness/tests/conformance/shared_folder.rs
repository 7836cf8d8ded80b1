use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use geminios_failover_core::Record;
use geminios_failover_witness::{Error, Folder, Held, Kept, Register};
use tempfile::TempDir;

use crate::bench::{Bench, Copy, LONG, SITE, folder, put, record};
use crate::wire::Wire;

/// A folder that two clients have. What hangs is a file that nobody writes.
pub struct Shared {
    folder: TempDir,
}

impl Shared {
    pub fn new() -> Self {
        let folder = folder();
        Folder::new(folder.path(), SITE).create().unwrap();
        Shared { folder }
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join(SITE)
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.place()).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    fn fifo(&self) -> PathBuf {
        self.place().join(format!("{:020}", u64::MAX))
    }
}

impl Bench for Shared {
    fn client(&self) -> Box<dyn Register> {
        Box::new(Folder::new(self.folder.path(), SITE))
    }

    fn stranger(&self) -> Option<Box<dyn Register>> {
        None
    }

    fn swaps(&self) -> usize {
        1000
    }

    fn restart(&self) {}

    fn copy(&self) -> Copy {
        self.names()
            .into_iter()
            .map(|name| (name.clone(), fs::read(self.place().join(name)).unwrap()))
            .collect()
    }

    fn put(&self, copy: &Copy) {
        self.names().iter().for_each(|name| fs::remove_file(self.place().join(name)).unwrap());
        copy.iter().for_each(|(name, text)| fs::write(self.place().join(name), text).unwrap());
    }

    fn hang(&self, hang: bool) {
        if hang {
            rustix::fs::mknodat(rustix::fs::CWD, self.fifo(), rustix::fs::FileType::Fifo, 0o600.into(), 0)
                .unwrap();
        } else {
            // Whoever hangs reads nothing, and goes.
            drop(fs::OpenOptions::new().write(true).open(self.fifo()).unwrap());
            fs::remove_file(self.fifo()).unwrap();
        }
    }

    fn wire(&self) -> Option<&Wire> {
        None
    }

    fn swap_and_lose(&self, client: &mut dyn Register, expected: u64, record: Record) {
        client.swap(expected, record, Duration::ZERO).unwrap_err();
    }
}

const RACER: &str = "GEMINIOS_TEST_RACER";

/// Started by the test below, in a process of its own.
#[test]
#[ignore = "a part of processes_race"]
fn racer() {
    let Some(folder) = std::env::var_os(RACER) else { panic!("{RACER} names the folder") };
    let mut client = Folder::new(Path::new(&folder), SITE);
    let mut held = client.read(LONG).unwrap();
    for _ in 0..RACES {
        match client.swap(held.tag, record(1), LONG) {
            Ok(swapped) => {
                if swapped.done {
                    println!("won {:x} {:x}", held.tag, swapped.held.tag);
                }
                held = swapped.held;
            }
            Err(_) => held = client.read(LONG).unwrap(),
        }
    }
}

const RACES: usize = 1000;

fn start_racer(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "shared_folder::racer", "--ignored", "--nocapture"]).env(RACER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Two processes race, and a third is killed again and again at whatever it does.
#[test]
fn processes_race() {
    let shared = Shared::new();
    put(shared.client().as_mut(), 1);
    let racers: Vec<Child> = (0..2).map(|_| start_racer(shared.folder.path())).collect();
    let (mut won, mut kills) = (Vec::new(), 0);
    let lines = |child: &mut Child| -> Vec<(String, String)> {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let won = lines.filter_map(|line| {
            let (old, new) = line.split_once("won ")?.1.split_once(' ')?;
            Some((old.to_owned(), new.to_owned()))
        });
        won.collect()
    };
    std::thread::scope(|scope| {
        let racing: Vec<_> = racers
            .into_iter()
            .map(|mut racer| {
                scope.spawn(move || {
                    let won = lines(&mut racer);
                    assert!(racer.wait().unwrap().success());
                    won
                })
            })
            .collect();
        while !racing.iter().all(|racer| racer.is_finished()) {
            let mut killed = start_racer(shared.folder.path());
            std::thread::sleep(Duration::from_millis(200));
            killed.kill().unwrap();
            let theirs = lines(&mut killed);
            killed.wait().unwrap();
            won.extend(theirs);
            kills += 1;
        }
        for racer in racing {
            let theirs = racer.join().unwrap();
            assert!(!theirs.is_empty());
            won.extend(theirs);
        }
    });
    eprintln!("{} won, {kills} killed", won.len());
    let expected: HashSet<_> = won.iter().map(|(old, _)| old).collect();
    let new: HashSet<_> = won.iter().map(|(_, new)| new).collect();
    assert_eq!(expected.len(), won.len(), "a tag was won twice");
    assert_eq!(new.len(), won.len(), "a tag came twice");

    // What the killed ones left goes, and the old numbers.
    let mut client = shared.client();
    let mut held = client.read(LONG).unwrap();
    for _ in 0..100 {
        held = client.swap(held.tag, record(1), LONG).unwrap().held;
    }
    assert!(shared.names().len() < 64 + 16 + 2, "{} files", shared.names().len());
}

/// A client saw the folder as it was, and swaps when others have used and removed the next number.
#[test]
fn who_wakes_up_too_late_has_not_won() {
    let shared = Shared::new();
    let mut client = shared.client();
    for number in 1..200 {
        put(client.as_mut(), number);
    }
    let newest = client.read(LONG).unwrap();
    // As the sleeper saw it: one old file, and nothing else.
    let late = Kept::new(SITE, Held { tag: 7 << 32, record: record(7) });
    let names = shared.copy();
    shared.put(&vec![(format!("{:020}", 7), late.to_text().into_bytes())]);
    let mut sleeper = shared.client();
    assert_eq!(sleeper.read(LONG).unwrap().tag, 7 << 32);
    shared.put(&names);
    let swapped = sleeper.swap(7 << 32, record(8), LONG).unwrap();
    assert!(!swapped.done && swapped.held == newest, "{swapped:?}");
}

/// Not for root, who may do all.
#[test]
fn who_may_not_write_is_refused() {
    let shared = Shared::new();
    put(shared.client().as_mut(), 1);
    let held = shared.client().read(LONG).unwrap();
    fs::set_permissions(shared.place(), std::os::unix::fs::PermissionsExt::from_mode(0o500)).unwrap();
    if fs::write(shared.place().join("x"), "").is_ok() {
        eprintln!("skipped: root may write everywhere");
        return;
    }
    let swapped = shared.client().swap(held.tag, record(2), LONG);
    assert!(matches!(swapped, Err(Error::Refused { .. })), "{swapped:?}");
    fs::set_permissions(shared.place(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn a_second_register_is_not_made() {
    let shared = Shared::new();
    let held = put(shared.client().as_mut(), 1);
    assert!(matches!(Folder::new(shared.folder.path(), SITE).create(), Err(Error::NotKept { .. })));
    assert_eq!(shared.client().read(LONG).unwrap(), held);
}
