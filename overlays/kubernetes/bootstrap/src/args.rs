//! What can be asked.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::Offline;

/// Where systemd's `StateDirectory=kubernetes` is; `/etc/kubernetes` leads here.
pub const ROOT: &str = "/var/lib/kubernetes";

/// Seconds that DHCP gets.
const WAIT: u64 = 20;

/// Text of `--help`.
pub const HELP: &str = "\
geminios-bootstrap: keys, certificates and kubeconfigs of this Kubernetes node

usage: geminios-bootstrap [--at-boot] [--root DIR] [--wait SECONDS]
       geminios-bootstrap --check [--root DIR]

Makes what is missing, damaged or due below /var/lib/kubernetes, which is also /etc/kubernetes,
says in a line what it did, and leaves everything else as it is. Run it as often as you like:

  pki/               certificate authorities (30 years), certificates (1 year), keys
  *.conf             kubeconfigs; admin.conf is yours: kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes
  encryption.yaml    encrypts secrets in the database. Keep a copy: without its key they are lost
  node.env           NODE_NAME, made from the machine-id once; NODE_IP, an IPv4 address of an interface

A certificate is issued anew when less than a third of its time is left, and when the node's address changes.
kubernetes-renew.timer looks every ten minutes and restarts what uses it.

options:
      --at-boot        without a network, take the address of interface node0 rather than keep the last one
      --check          list what each certificate is valid until; write nothing; exit with 1 if something is due
      --root DIR       another folder than /var/lib/kubernetes
      --wait SECONDS   how long to wait for an address of an interface [default: 20]
  -h, --help           print this
  -V, --version        print the version

exit status: 0 done, or nothing to do; 1 failed, and the message says why; 2 wrong arguments";

/// A command line that was understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    /// List what is there.
    Check {
        root: PathBuf,
    },
    /// Make what is missing.
    Run {
        root: PathBuf,
        wait: Duration,
        offline: Offline,
    },
}

/// Reads the arguments behind the program's name; the error is a sentence for people.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let (mut root, mut wait, mut check) = (PathBuf::from(ROOT), None, false);
    let mut offline = Offline::Running;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name.to_owned(), Some(OsString::from(value))),
            _ => (text, None),
        };
        let mut value = || {
            let value = inline.clone().or_else(|| args.next()).filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            "--root" => root = PathBuf::from(value()?),
            "--wait" => {
                let text = value()?.to_string_lossy().into_owned();
                let seconds = text.parse::<u16>();
                wait =
                    Some(seconds.map_err(|_| format!("--wait {text}: must be whole seconds, such as 20"))?);
            }
            _ if inline.is_some() => return Err(format!("{name} is not an option that takes a value")),
            "--check" => check = true,
            "--at-boot" => offline = Offline::Starting,
            "-h" | "--help" => return Ok(Command::Help),
            "-V" | "--version" => return Ok(Command::Version),
            _ => return Err(format!("{name:?} is not an option")),
        }
    }
    match (check, wait) {
        (true, Some(_)) => Err("--check does not wait; leave --wait out".into()),
        (true, None) => Ok(Command::Check { root }),
        (false, wait) => {
            let wait = Duration::from_secs(wait.map_or(WAIT, u64::from));
            Ok(Command::Run { root, wait, offline })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn commands() {
        let run_while = |offline, root: &str, wait| {
            Ok(Command::Run { root: root.into(), wait: Duration::from_secs(wait), offline })
        };
        let run = |root: &str, wait| run_while(Offline::Running, root, wait);
        let cases = [
            ("", run("/var/lib/kubernetes", 20)),
            ("--root /a --wait 0", run("/a", 0)),
            ("--root=/a --wait=3", run("/a", 3)),
            ("--at-boot", run_while(Offline::Starting, "/var/lib/kubernetes", 20)),
            ("--check", Ok(Command::Check { root: ROOT.into() })),
            ("--check --root /a", Ok(Command::Check { root: "/a".into() })),
            ("--root /a -h", Ok(Command::Help)),
            ("--version", Ok(Command::Version)),
            ("--root", Err("--root needs a value".into())),
            ("--root=", Err("--root needs a value".into())),
            ("--wait soon", Err("--wait soon: must be whole seconds, such as 20".into())),
            ("--wait -1", Err("--wait -1: must be whole seconds, such as 20".into())),
            ("--check=yes", Err("--check is not an option that takes a value".into())),
            ("--check --wait 2", Err("--check does not wait; leave --wait out".into())),
            ("now", Err("\"now\" is not an option".into())),
        ];
        for (line, expected) in cases {
            assert_eq!(parsed(line), expected, "{line}");
        }
    }

    #[test]
    fn help_names_every_option_and_the_default() {
        for text in [
            "--at-boot",
            "--check",
            "--root",
            "--wait",
            "--help",
            "--version",
            &format!("default: {WAIT}"),
            ROOT,
        ] {
            assert!(HELP.contains(text), "{text}");
        }
    }
}
