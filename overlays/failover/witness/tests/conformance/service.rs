use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use geminios_failover_core::Record;
use geminios_failover_witness::service::add::add_site;
use geminios_failover_witness::{Error, Key, Register, Remote};
use tempfile::TempDir;

use crate::bench::{Bench, Copy, LONG, SITE, folder, put};
use crate::wire::{Mode, Wire};

/// The program, and a line to it.
pub struct Service {
    folder: TempDir,
    running: Mutex<Child>,
    wire: Wire,
}

pub fn start(folder: &Path) -> (Child, SocketAddr) {
    let (dir, keys) = (folder.join("registers"), folder.join("keys"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_geminios-witness"))
        .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(dir)
        .arg("--sites")
        .arg(keys)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address =
        line.trim().rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("it said `{line}`"));
    (child, address)
}

pub fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

impl Service {
    pub fn new() -> Self {
        let folder = folder();
        add_site(SITE, &folder.path().join("registers"), &folder.path().join("keys")).unwrap();
        let (child, address) = start(folder.path());
        Service { folder, running: Mutex::new(child), wire: Wire::to(address) }
    }

    fn key(&self) -> Key {
        Key::read(&self.folder.path().join("keys/hut.key")).unwrap()
    }

    fn register(&self) -> std::path::PathBuf {
        self.folder.path().join("registers/hut.register")
    }

    /// Restarted around it: what is in memory counts while it runs.
    fn while_off(&self, job: impl FnOnce()) {
        let mut running = self.running.lock().unwrap();
        kill(&mut running);
        job();
        let (child, address) = start(self.folder.path());
        *running = child;
        self.wire.lead_to(address);
    }
}

impl Bench for Service {
    fn client(&self) -> Box<dyn Register> {
        Box::new(Remote::new(&self.wire.address.to_string(), SITE, self.key()))
    }

    fn stranger(&self) -> Option<Box<dyn Register>> {
        Some(Box::new(Remote::new(&self.wire.address.to_string(), SITE, Key::random()?)))
    }

    fn swaps(&self) -> usize {
        1000
    }

    fn restart(&self) {
        self.while_off(|| {});
    }

    fn copy(&self) -> Copy {
        vec![(String::new(), std::fs::read(self.register()).unwrap())]
    }

    fn put(&self, copy: &Copy) {
        self.while_off(|| match copy.first() {
            Some((_, text)) => std::fs::write(self.register(), text).unwrap(),
            None => std::fs::remove_file(self.register()).unwrap(),
        });
    }

    fn hang(&self, hang: bool) {
        self.wire.set(if hang { Mode::Hang } else { Mode::Pass });
    }

    fn wire(&self) -> Option<&Wire> {
        Some(&self.wire)
    }

    fn swap_and_lose(&self, client: &mut dyn Register, expected: u64, record: Record) {
        self.wire.set(Mode::LoseAnswer);
        client.swap(expected, record, LONG).unwrap_err();
        self.wire.set(Mode::Pass);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        kill(&mut self.running.lock().unwrap());
    }
}

/// It would let a witness that is gone seem to be there, or a swap seem to be carried out.
#[test]
fn a_repeated_reply_is_refused_also_if_nothing_changed() {
    let service = Service::new();
    let mut client = service.client();
    let held = put(client.as_mut(), 1);
    service.wire.set(Mode::Replay(service.wire.last().answer));
    let swapped = client.swap(held.tag, held.record, LONG);
    assert!(matches!(swapped, Err(Error::Refused { .. })), "{swapped:?}");
    let read = client.read(LONG);
    assert!(matches!(read, Err(Error::Refused { .. })), "{read:?}");
}
