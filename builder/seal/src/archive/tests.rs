use std::path::Path;

use geminios_compose::{Content, Entry, Owner, Tree};
use geminios_model::Digest;
use tempfile::TempDir;

use super::{Broken, write};

const OWNER: Owner = Owner::Fixup("tests");

fn put(tree: &mut Tree, path: &str, entry: Entry) {
    let path: geminios_model::TreePath = path.parse().expect("a path");
    tree.make_parents(&path, &OWNER, 5).expect("folders");
    tree.insert(path, entry).expect("a place");
}

fn blob(path: &Path, offset: u64, size: u64) -> Content {
    Content::Blob { path: path.into(), offset, size, id: Digest::of("") }
}

fn stream(tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    write(tree, &mut out, |_| {}).expect("a stream");
    out
}

/// One line a member, as the independent reader sees it.
fn listing(stream: &[u8]) -> String {
    let mut archive = tar::Archive::new(stream);
    let rows = archive.entries().expect("a tar").map(|entry| {
        let mut entry = entry.expect("a member");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut entry, &mut text).expect("text");
        let header = entry.header();
        let link = entry.link_name().expect("a link").map(|link| format!(" -> {}", link.display()));
        format!(
            "{} {:?} {:o} {}:{} {}{} {text:?}\n",
            entry.path().expect("a path").display(),
            header.entry_type(),
            header.mode().expect("a mode"),
            header.uid().expect("a number"),
            header.gid().expect("a number"),
            header.mtime().expect("a number"),
            link.unwrap_or_default(),
        )
    });
    rows.collect()
}

#[test]
fn members_have_what_the_tree_says() {
    let mut tree = Tree::new(OWNER, 5);
    put(&mut tree, "/etc/shadow", Entry { gid: 42, ..Entry::file("root:*:", OWNER, 7) }.with_mode(0o640));
    put(&mut tree, "/usr/bin/su", Entry::file("x", OWNER, 7).with_mode(0o4755));
    put(&mut tree, "/bin", Entry::symlink("usr/bin", OWNER, 9));
    let expected = "\
        ./ Directory 755 0:0 5 \"\"\n\
        bin Symlink 777 0:0 9 -> usr/bin \"\"\n\
        etc/ Directory 755 0:0 5 \"\"\n\
        etc/shadow Regular 640 0:42 7 \"root:*:\"\n\
        usr/ Directory 755 0:0 5 \"\"\n\
        usr/bin/ Directory 755 0:0 5 \"\"\n\
        usr/bin/su Regular 4755 0:0 7 \"x\"\n";
    assert_eq!(listing(&stream(&tree)), expected);
}

#[test]
fn what_does_not_fit_a_header_comes_before_it() {
    let (name, target) = ("n".repeat(200), format!("../{}", "t".repeat(300)));
    let mut tree = Tree::new(OWNER, 5);
    put(&mut tree, &format!("/{name}"), Entry::symlink(&target, OWNER, 1 << 34));
    put(&mut tree, "/z", Entry { uid: 3_000_000, ..Entry::file("z", OWNER, 5) });
    let stream = stream(&tree);
    assert!(listing(&stream).contains(&format!("{name} Symlink 777 0:0 0 -> {target} \"\"\n")));
    let text = String::from_utf8_lossy(&stream);
    for record in ["21 mtime=17179869184\n", "15 uid=3000000\n"] {
        let length: usize = record.split(' ').next().and_then(|n| n.parse().ok()).expect("a length");
        assert_eq!(record.len(), length, "the record counts itself");
        assert!(text.contains(record), "{record}");
    }
}

#[test]
fn names_of_one_range_of_a_package_are_hard_links() {
    let dir = TempDir::new().expect("a folder");
    let data = dir.path().join("data.tar");
    std::fs::write(&data, b"..mkfs..").expect("written");
    let mut tree = Tree::new(OWNER, 5);
    put(&mut tree, "/a", Entry::file(blob(&data, 2, 4), OWNER, 5));
    put(&mut tree, "/b", Entry::file(blob(&data, 2, 4), OWNER, 5));
    put(&mut tree, "/c", Entry::file(blob(&data, 2, 4), OWNER, 5).with_mode(0o600));
    put(&mut tree, "/d", Entry::file("mkfs", OWNER, 5));
    put(&mut tree, "/e", Entry::file("mkfs", OWNER, 5));
    let expected = "\
        ./ Directory 755 0:0 5 \"\"\n\
        a Regular 644 0:0 5 \"mkfs\"\n\
        b Link 644 0:0 5 -> a \"\"\n\
        c Regular 600 0:0 5 \"mkfs\"\n\
        d Regular 644 0:0 5 \"mkfs\"\n\
        e Regular 644 0:0 5 \"mkfs\"\n";
    assert_eq!(listing(&stream(&tree)), expected);
}

#[test]
fn content_that_is_cut_or_gone_is_named() {
    let dir = TempDir::new().expect("a folder");
    let data = dir.path().join("data.tar");
    std::fs::write(&data, b"short").expect("written");
    for content in [blob(&data, 0, 6), blob(&dir.path().join("gone"), 0, 1)] {
        let mut tree = Tree::new(OWNER, 5);
        put(&mut tree, "/usr/bin/x", Entry::file(content, OWNER, 5));
        match write(&tree, &mut Vec::new(), |_| {}) {
            Err(Broken::Content { path, .. }) => assert_eq!(path.as_str(), "/usr/bin/x"),
            other => panic!("{other:?}"),
        }
    }
}
