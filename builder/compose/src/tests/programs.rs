//! What programs make of a tree, and how often they run.

use std::fs;
use std::process::Command;

use geminios_fetch::Steps;
use geminios_model::{Digest, TreePath};

use super::world::{EPOCH, F, World};
use crate::ComposeError;
use crate::tools::{Job, Tools};
use crate::tree::{Entry, Node, Owner, Tree};
use crate::units::Units;

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let owner = Owner::Package("p".into());
    let mut tree = Tree::new(owner.clone(), EPOCH);
    for (name, text) in files {
        tree.make_parents(&path(name), &owner, EPOCH).unwrap();
        tree.insert(path(name), Entry::file(*text, owner.clone(), EPOCH)).unwrap();
    }
    tree
}

/// Lets the shell work on what is below /in. It writes a line to `log` each time it runs.
fn shell(steps: &Steps, tree: &Tree, script: &str) -> Result<Vec<(String, String)>, ComposeError> {
    let tools = Tools { command: &|program| Ok(Command::new(program)), digest: Digest::of("tools"), steps };
    let made = tools.run(
        tree,
        &Job {
            program: "sh",
            arguments: &["-c", script, "sh", "{}"],
            wanted: &|path, _| path.as_str().starts_with("/in/"),
            frame: &|scratch| fs::create_dir_all(scratch.join("out")),
        },
    )?;
    let text = |node| match node {
        Node::File(content) => String::from_utf8(content.read().unwrap()).unwrap(),
        Node::Symlink(target) => format!("-> {target}"),
        Node::Directory => "folder".into(),
    };
    let made = made.into_iter().map(|(path, node)| (path.to_string(), text(node)));
    Ok(made.filter(|(path, _)| path.starts_with("/out")).collect())
}

#[test]
fn a_program_runs_once_for_the_same_inputs() {
    let dir = tempfile::TempDir::new().unwrap();
    let steps = Steps::open(dir.path()).unwrap();
    let log = dir.path().join("log");
    let script =
        format!("cd $1 && echo ran >> {} && cat in/a in/b > out/ab && ln -s ab out/link", log.display());
    let runs = || fs::read_to_string(&log).unwrap().lines().count();

    let first = tree(&[("/in/a", "a"), ("/in/b", "b"), ("/elsewhere", "1")]);
    let made = [("/out/ab".to_owned(), "ab".to_owned()), ("/out/link".to_owned(), "-> ab".to_owned())];
    assert_eq!(shell(&steps, &first, &script).unwrap(), made);
    let same_inputs = tree(&[("/in/a", "a"), ("/in/b", "b"), ("/elsewhere", "2")]);
    assert_eq!(shell(&steps, &same_inputs, &script).unwrap(), made);
    assert_eq!(runs(), 1, "what it does not read does not matter");

    let other_inputs = tree(&[("/in/a", "A"), ("/in/b", "b")]);
    assert_eq!(shell(&steps, &other_inputs, &script).unwrap()[0].1, "Ab");
    assert_eq!(runs(), 2);
}

#[test]
fn a_program_that_fails_tells_why_and_leaves_nothing() {
    let dir = tempfile::TempDir::new().unwrap();
    let steps = Steps::open(dir.path()).unwrap();
    let tree = tree(&[("/in/a", "a")]);
    for _ in 0..2 {
        let error =
            shell(&steps, &tree, "echo half > $1/out/x; echo no such module >&2; exit 3").unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed (exit status: 3)\n  no such module");
    }
}

#[test]
fn presets_name_units_and_instances_and_disable_the_rest() {
    let mut world = World::new();
    world.package(
        "systemd",
        &[
            ("/usr/lib/systemd/system/getty@.service", F(0o644, "")),
            ("/usr/lib/systemd/system/ssh.service", F(0o644, "")),
            ("/usr/lib/systemd/system/noise.service", F(0o644, "")),
            ("/usr/lib/systemd/system/multi-user.target", F(0o644, "")),
        ],
    );
    world.overlay(
        "base",
        "[units]\nenable = [\"getty@ttyS0.service\", \"ssh.service\", \"getty@tty1.service\"]\nmask = [\"noise.service\"]\ndefault = \"multi-user.target\"\n",
        &[],
    );
    insta::assert_snapshot!(world.text("/usr/lib/systemd/system-preset/00-geminios.preset"), @r"
    enable getty@.service tty1 ttyS0
    enable ssh.service
    disable *
    ");
    insta::assert_snapshot!(world.listing(&["/etc/systemd/system"]), @r"
    /etc/systemd/system: 0755 0:0 folder
    /etc/systemd/system/default.target: link -> /usr/lib/systemd/system/multi-user.target
    /etc/systemd/system/noise.service: link -> /dev/null
    ");
}

#[test]
fn an_enabled_unit_that_nothing_would_start() {
    let mut world = World::new();
    world.package(
        "ssh",
        &[
            ("/usr/lib/systemd/system/ssh.service", F(0o644, "")),
            ("/usr/lib/systemd/system/sshd@.service", F(0o644, "")),
        ],
    );
    world.overlay("base", "[units]\nenable = [\"ssh.service\", \"sshd@x.service\"]\n", &[]);
    let root = world.assembled(|a| a.root.clone());
    let wants = "/etc/systemd/system/multi-user.target.wants";
    let ssh = (path(&format!("{wants}/ssh.service")), "/usr/lib/systemd/system/ssh.service".to_owned());
    let sshd = (path(&format!("{wants}/sshd@x.service")), "/usr/lib/systemd/system/sshd@.service".to_owned());
    let enable = |links: &[(TreePath, String)]| {
        let units = Units::of(&root, &world.overlays).unwrap();
        let mut tree = root.clone();
        units.enable(&mut tree, links.to_vec(), EPOCH).map(|()| tree)
    };
    let tree = enable(&[ssh.clone(), sshd.clone()]).unwrap();
    assert!(matches!(&tree.get(&ssh.0).unwrap().node, Node::Symlink(target) if *target == ssh.1));
    insta::assert_snapshot!(enable(&[ssh]).unwrap_err().to_string());
}
