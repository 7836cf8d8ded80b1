//! Network namespaces of each test's own: it runs again in fresh ones, which go with it, as root or as a user.

use std::fs::File;
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const INSIDE: &str = "GEMINIOS_INSIDE";

/// Runs `body` in namespaces of its own: network, mounts, processes. Without them it is skipped with a word; GEMINIOS_ORACLES=required
/// makes it fail.
pub fn run(test: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        ip("link set lo up");
        assert!(Command::new("mount").args(["-t", "tmpfs", "none", "/run"]).status().unwrap().success());
        return body();
    }
    let user: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["-Ur"] };
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(user).args(["-nmpf", "--kill-child", "--mount-proc"]);
        command
    };
    let probe = unshare().args(["ip", "link", "add", "br0", "type", "bridge"]).output();
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "no network namespaces: {probe:?}");
        eprintln!("skipped: no network namespaces, or no ip, on this host ({probe:?})");
        return;
    }
    let myself = std::env::current_exe().unwrap();
    let mut command = unshare();
    command.arg(myself).args(["--exact", test, "--nocapture"]).env(INSIDE, "1");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("1 passed"), "{said}");
    eprintln!("{said}");
}

/// A bridge in this namespace, and namespaces `names` with an interface eth0 on it: 10.9.0.1/24 and fd09::1/64 for the first.
pub fn lan(names: &[&str]) {
    ip("link add br0 type bridge");
    ip("link set br0 up");
    for (at, name) in names.iter().enumerate() {
        ip(&format!("netns add {name}"));
        ip(&format!("-n {name} link set lo up"));
        plug(name);
        ip(&format!("-n {name} addr add 10.9.0.{}/24 dev eth0", at + 1));
        ip(&format!("-n {name} addr add fd09::{}/64 dev eth0 nodad", at + 1));
    }
}

/// Its interface eth0, whose other end is at the bridge.
pub fn plug(name: &str) {
    ip(&format!("link add port-{name} type veth peer name eth0 netns {name}"));
    ip(&format!("link set port-{name} master br0 up"));
    ip(&format!("-n {name} link set eth0 up"));
}

pub fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ip {arguments}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs in a namespace, in a thread of its own.
pub fn within<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> T {
    let space = File::open(format!("/run/netns/{name}")).unwrap();
    let thread = std::thread::spawn(move || {
        move_into_link_name_space(std::os::fd::AsFd::as_fd(&space), Some(LinkNameSpaceType::Network))
            .unwrap();
        body()
    });
    thread.join().unwrap()
}
