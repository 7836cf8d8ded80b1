use std::process::Command;

use geminios_compose::{Content, Entry, Owner, Tree};
use geminios_model::Digest;
use tempfile::TempDir;

use super::write_erofs;
use crate::error::SealError;

const OWNER: Owner = Owner::Fixup("tests");

fn tree(files: usize) -> Tree {
    let mut tree = Tree::new(OWNER, 5);
    for i in 0..files {
        let text: String = (0..i * 37).map(|j| format!("{} ", j * i)).collect();
        tree.insert(format!("/file-{i:04}").parse().expect("a path"), Entry::file(text, OWNER, 5))
            .expect("a place");
    }
    tree
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "mkfs.erofs"]);
    command
}

#[test]
fn what_a_dying_program_said_is_in_the_error() {
    let dir = TempDir::new().expect("a folder");
    let mkfs = shell("echo 'erofs: No space left on device' >&2; exit 1");
    // More than a pipe holds, so that writing to it fails too.
    let error = write_erofs(&tree(60), mkfs, 5, &dir.path().join("root"), |_| {}).expect_err("it failed");
    let text = error.to_string();
    assert!(text.contains("erofs: No space left on device") && text.contains("the disk is full"), "{text}");
}

#[test]
fn a_program_that_complains_at_length_does_not_stop_us() {
    let dir = TempDir::new().expect("a folder");
    let mkfs = shell(
        "i=0; while [ $i -lt 4000 ]; do echo 'a line that fills the pipe of errors' >&2; i=$((i+1)); done; cat > /dev/null",
    );
    write_erofs(&tree(60), mkfs, 5, &dir.path().join("root"), |_| {}).expect("it ended well");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let dir = TempDir::new().expect("a folder");
    let mkfs = Command::new(dir.path().join("mkfs.erofs"));
    let error =
        write_erofs(&tree(1), mkfs, 5, &dir.path().join("root"), |_| {}).expect_err("no such program");
    assert!(matches!(error, SealError::Start { program: "mkfs.erofs", .. }), "{error}");
}

/// The program must not take the end of the pipe for the end of the tree.
#[test]
fn content_that_left_the_store_stops_the_program() {
    let dir = TempDir::new().expect("a folder");
    let gone = Content::Blob { path: dir.path().join("gone").into(), offset: 0, size: 1, id: Digest::of("") };
    let mut tree = tree(1);
    tree.insert("/gone".parse().expect("a path"), Entry::file(gone, OWNER, 5)).expect("a place");
    let mkfs = shell("cat > /dev/null; touch finished");
    let mkfs = {
        let mut mkfs = mkfs;
        mkfs.current_dir(dir.path());
        mkfs
    };
    let error = write_erofs(&tree, mkfs, 5, &dir.path().join("root"), |_| {}).expect_err("gone");
    assert!(error.to_string().starts_with("/gone of the image cannot be read"), "{error}");
    assert!(!dir.path().join("finished").exists(), "the program was left to finish");
}
