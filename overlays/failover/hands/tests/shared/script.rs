//! Scripts for the tests.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A script of /bin/sh in `folder`; $0's folder is its place for notes. Another process writes it: a file that this one had open for
/// writing while another test starts a program could not be run ("text file busy").
pub fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("script");
    let mut install = Command::new("install");
    install.args(["-m", "0755", "/dev/stdin"]).arg(&path).stdin(Stdio::piped());
    let mut child = install.spawn().unwrap();
    let head = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n";
    child.stdin.take().unwrap().write_all(format!("{head}{text}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    path
}

/// Whether the process whose id is in this file is gone, or a zombie that nobody waited for.
pub fn is_gone(file: &Path) -> bool {
    let Ok(id) = std::fs::read_to_string(file) else { return false };
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())) else {
        return !id.trim().is_empty();
    };
    stat.rsplit(')').next().unwrap().trim_start().starts_with('Z')
}
