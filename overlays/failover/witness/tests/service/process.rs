//! The program, running, and what it is started on.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use geminios_failover_core::{Record, Side};
use geminios_failover_witness::Key;
use geminios_failover_witness::service::add::add_site;
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_geminios-witness");

pub fn record(number: u64) -> Record {
    Record { number, ..Record::first(Side::A) }
}

pub fn key(folder: &Path) -> Key {
    Key::read(&folder.join("keys/hut.key")).unwrap()
}

pub fn made() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    add_site("hut", folder.path(), &folder.path().join("keys")).unwrap();
    folder
}

/// A service as a process.
pub struct Process {
    pub child: Child,
    pub address: SocketAddr,
}

impl Process {
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| error.to_string())?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if let Some(Ok(address)) = line.trim().rsplit(' ').next().map(str::parse) {
            return Ok(Process { child, address });
        }
        let output = child.wait_with_output().unwrap();
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn program(folder: &Path, listen: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", listen, "--dir"]).arg(folder);
    command.arg("--sites").arg(folder.join("keys"));
    command
}
