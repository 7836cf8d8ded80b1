//! What a user sees for each mistake in a description file: the file, the line, the remedy.

#![allow(clippy::unwrap_used)]

mod common;

use common::PROFILE;
use geminios_model::{Board, Diagnostic, Document, Lock, Overlay, Profile, ScriptTable, Source, parse};

const LOCK: &str = "Format: 1
Profile: edge
Wishes: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
Source-Date-Epoch: 1763888888

Archive: debian
Suite: trixie
Date: 1763888888
Release: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855

Package: bash
Version: 5.2.37-2
Architecture: amd64
For: image=@base
Source: bash 5.2.37-2
Archive: debian
Filename: pool/main/b/bash/bash_5.2.37-2_amd64.deb
Size: 1500000
SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
Script: postinst e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 generated
";

fn complaint<D: Document>(path: &str, text: &str) -> Diagnostic {
    match parse::<D>(&Source::new(path, text)) {
        Ok(_) => panic!("{path} was accepted:\n{text}"),
        Err(diagnostic) => diagnostic,
    }
}

fn lock_complaint(text: &str) -> Diagnostic {
    Lock::parse(&Source::new("profiles/edge.lock", text)).expect_err("the lock was accepted")
}

#[test]
fn good_ones_are_read() {
    parse::<Profile>(&Source::new("profiles/edge.toml", PROFILE)).unwrap();
    let lock = Lock::parse(&Source::new("profiles/edge.lock", LOCK)).unwrap();
    assert_eq!(lock.to_text(), LOCK, "a lock is written as it was read");
}

#[test]
fn an_address_of_updates_that_is_none() {
    let update = |url: &str| format!("{PROFILE}\n[update]\nroot = \"root.json\"\nurl = \"{url}\"\n");
    parse::<Profile>(&Source::new("profiles/edge.toml", update("https://updates.example/edge"))).unwrap();
    for url in ["ftp://updates.example", "updates.example", "http://a b"] {
        let told = complaint::<Profile>("profiles/edge.toml", &update(url)).to_string();
        assert!(told.contains("is no address of a repository") && told.contains("https://"), "{told}");
    }
}

#[test]
fn a_lock_in_another_order_is_the_same_lock() {
    let (head, stanzas) = LOCK.split_once("\n\n").unwrap();
    let more = LOCK.replace("postinst", "config").replace("bash", "apt").replace("trixie", "sid");
    let others = more.split_once("\n\n").unwrap().1;
    let script = LOCK.lines().last().unwrap().replace("postinst", "config");
    let read = |text: String| Lock::parse(&Source::new("profiles/edge.lock", text)).unwrap();
    let lock = read(format!("{head}\n\n{stanzas}{script}\n\n{others}"));
    assert_eq!(lock, read(lock.to_text()));
    assert_eq!(lock.packages.iter().map(|p| &*p.name).collect::<Vec<_>>(), ["apt", "bash"]);
}

#[test]
fn a_misspelt_key_names_the_line_and_the_key_that_was_meant() {
    let text = PROFILE.replace("overlays =", "overlay =");
    insta::assert_snapshot!(complaint::<Profile>("profiles/edge.toml", &text), @r#"
    error: this profile cannot be read
     --> profiles/edge.toml:5:1
      |
    5 | overlay = ["base"]
      | ^^^^^^^ unknown field `overlay`, expected one of `name`, `description`, `version`, `boards`, `overlays`, `packages`, `archive`, `image`, `update`, `sizes`, `budget`
      |
      = help: did you mean `overlays`?
    "#);
}

#[test]
fn an_unknown_key_lists_those_that_exist() {
    let text = PROFILE.replace("root-verity = 8", "root-verity = 8\nswap = 1");
    insta::assert_snapshot!(complaint::<Profile>("profiles/edge.toml", &text), @r"
    error: this profile cannot be read
      --> profiles/edge.toml:17:1
       |
    17 | swap = 1
       | ^^^^ unknown field `swap`, expected one of `esp`, `root`, `root-verity`, `config`, `var-min`
    ");
}

#[test]
fn a_value_of_the_wrong_type_is_shown_at_its_place() {
    let text = PROFILE.replace("esp = 128", "esp = \"128M\"");
    insta::assert_snapshot!(complaint::<Profile>("profiles/edge.toml", &text), @r#"
    error: this profile cannot be read
      --> profiles/edge.toml:14:7
       |
    14 | esp = "128M"
       |       ^^^^^^ invalid type: string "128M", expected u64
    "#);
}

/// (what is wrong, where it stands in the good text, what stands there instead, line, words of the message)
#[test]
fn profiles() {
    let cases = [
        ("not TOML", "boards = [", "boards = ]", 4, "cannot be read"),
        ("another file's name", "name = \"edge\"", "name = \"core\"", 1, "called `edge.toml`"),
        ("no version", "version = \"1.0\"", "version = \"\"", 3, "is not a version"),
        ("a version that FAT cannot hold", "version = \"1.0\"", "version = \"1+0/x\"", 3, "is not a version"),
        ("an overlay twice", "[\"base\"]", "[\"base\", \"base\"]", 5, "stands twice"),
        ("no overlay", "[\"base\"]", "[]", 1, "at least one entry in `overlays`"),
        ("no size at all", "config = 16", "config = 0", 17, "no size for a partition"),
        ("a size that overflows", "root = 320", "root = 18446744073709551615", 15, "no size for a partition"),
        (
            "an archive without keys",
            "keys = [\"debian/stable.asc\"]",
            "keys = []",
            8,
            "needs suites, components and keys",
        ),
        (
            "a budget for nobody",
            "var-min = 512",
            "var-min = 512\n[budget]\ninstalled = { bsae = 1 }",
            20,
            "does not use",
        ),
    ];
    for (wrong, good, bad, line, words) in cases {
        assert!(PROFILE.contains(good), "{wrong}");
        let found = complaint::<Profile>("profiles/edge.toml", &PROFILE.replacen(good, bad, 1));
        assert!(found.message().contains(words), "{wrong}: {found}");
        assert_eq!(found.line(), line, "{wrong}: {found}");
        assert!(found.to_string().contains("profiles/edge.toml:"), "{wrong}: {found}");
    }
}

#[test]
fn overlays() {
    let good = "name = \"web\"\ndescription = \"x\"\n";
    let cases = [
        ("another folder's name", "name = \"net\"\ndescription = \"x\"\n".to_owned(), "folder called `web`"),
        (
            "a mode of no digits",
            format!("{good}[[directory]]\npath = \"/a\"\nmode = \"rwx\"\n"),
            "not a mode",
        ),
        ("a relative path", format!("{good}[[directory]]\npath = \"a\"\n"), "cannot be read"),
        (
            "a path that climbs",
            format!("{good}[[link]]\npath = \"/a/../b\"\ntarget = \"c\"\n"),
            "cannot be read",
        ),
        ("a broken glob", format!("{good}[[prune]]\npath = \"/a/[\"\nreason = \"x\"\n"), "not a glob"),
        (
            "a protocol nobody speaks",
            format!("{good}[[port]]\nnumber = 1\nprotocol = \"sctp\"\npurpose = \"x\"\n"),
            "not a protocol",
        ),
        (
            "a port beyond 65535",
            format!("{good}[[port]]\nnumber = 70000\nprotocol = \"tcp\"\npurpose = \"x\"\n"),
            "cannot be read",
        ),
        ("a reason missing", format!("{good}[[without]]\npackage = \"perl\"\n"), "cannot be read"),
    ];
    for (wrong, text, words) in cases {
        let found = complaint::<Overlay>("overlays/web/overlay.toml", &text);
        assert!(found.message().contains(words), "{wrong}: {found}");
    }
}

#[test]
fn boards_and_scripts() {
    let found = complaint::<Board>("boards/pc.toml", "name = \"pc\"\narchitecture = \"i386\"\n");
    insta::assert_snapshot!(found, @r#"
    error: this board cannot be read
     --> boards/pc.toml:2:16
      |
    2 | architecture = "i386"
      |                ^^^^^^ unknown variant `i386`, expected one of `amd64`, `arm64`, `loong64`, `riscv64`
    "#);
    let script =
        "[[script]]\npackage = \"a\"\nscript = \"postinst\"\nsha256 = []\ndoes = \"x\"\ninstead = \"y\"\n";
    let found = complaint::<ScriptTable>("overlays/scripts.toml", &script.repeat(2));
    assert!(found.message().contains("classified twice"), "{found}");
    assert_eq!(found.line(), 8);
}

#[test]
fn a_lock_of_a_newer_format_is_refused_in_so_many_words() {
    insta::assert_snapshot!(lock_complaint(&LOCK.replace("Format: 1", "Format: 3")), @r"
    error: this lock has format 3; this geminios reads formats 1 to 2
     --> profiles/edge.lock:1:1
      |
    1 | Format: 3
      | ^^^^^^^^^
      |
      = help: use the geminios that wrote it, or make it anew with `geminios lock`
    ");
}

#[test]
fn locks() {
    let cases = [
        ("empty", LOCK, "", "is empty"),
        ("no format", "Format: 1\n", "", "has no `Format:`"),
        ("half a stanza", "Size: 1500000\n", "", "has no `Size:`"),
        ("a size that is none", "Size: 1500000", "Size: 1.5M", "no value for Size:"),
        ("a digest cut short", "SHA256: e3b0", "SHA256: ", "no value for SHA256:"),
        (
            "a key from the future",
            "For: image=@base",
            "For: image=@base\nSigned: yes",
            "unknown or repeated key",
        ),
        ("a conflict of git", "Package: bash", "<<<<<<< HEAD\nPackage: bash", "lines of the form"),
        ("a file outside the mirror", "pool/main/b/bash", "pool/../../etc", "not a path below a mirror"),
        ("an absolute file", "Filename: pool", "Filename: /pool", "not a path below a mirror"),
        ("an unknown architecture", "Architecture: amd64", "Architecture: i386", "unknown architecture"),
        ("a script of no kind", "Script: postinst", "Script: install", "is not KIND SHA256"),
        ("a reason missing", "image=@base", "image", "is not SET=REASON"),
    ];
    for (wrong, good, bad, words) in cases {
        assert!(LOCK.contains(good), "{wrong}");
        let found = lock_complaint(&LOCK.replacen(good, bad, 1));
        assert!(found.message().contains(words), "{wrong}: {found}");
    }
    let twice =
        format!("{LOCK}\n{}", LOCK.split_once("\nPackage").map(|(_, p)| format!("Package{p}")).unwrap());
    assert!(lock_complaint(&twice).message().contains("stands twice"));
}
