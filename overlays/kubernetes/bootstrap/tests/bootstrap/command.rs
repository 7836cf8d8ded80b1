use std::process::{Command, Output};

use crate::scene::Scene;

fn command(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_geminios-bootstrap")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn help_and_version() {
    let help = command(&["--help"]);
    assert!(
        help.status.success() && text(&help.stdout).starts_with("geminios-bootstrap: keys, certificates")
    );
    let version = command(&["-V"]);
    assert_eq!(text(&version.stdout), format!("geminios-bootstrap {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_argument_says_where_to_look() {
    let wrong = command(&["--rot", "/x"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert_eq!(
        text(&wrong.stderr),
        "geminios-bootstrap: \"--rot\" is not an option\nTry `geminios-bootstrap --help`.\n"
    );
}

#[test]
fn check_lists_and_writes_nothing() {
    let scene = Scene::made();
    let before = scene.stats();
    let root = scene.path("");
    let check = command(&["--check", "--root", root.to_str().unwrap()]);
    let out = text(&check.stdout);
    assert!(
        out.starts_with("pki/ca.crt: valid until 2056-11-17\npki/front-proxy-ca.crt: valid until"),
        "{out}"
    );
    assert!(out.contains("\nadmin.conf: valid until 2027-11-18\n"), "{out}");
    assert_eq!(scene.stats(), before);

    scene.put("pki/scheduler.crt", b"x");
    let check = command(&["--check", "--root", root.to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(1));
    let out = text(&check.stdout);
    assert!(out.contains("\npki/scheduler.crt: no certificate\n"), "{out}");
    assert!(out.contains("\ndue: pki/scheduler.crt: issue (unreadable)\n"), "{out}");
}
