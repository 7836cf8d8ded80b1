//! What is said when a wish cannot be met.
#![allow(clippy::unwrap_used)]

mod archive;

use archive::{index, newest, packages, wish};
use geminios_resolve::Index;

#[track_caller]
fn says(stanzas: &str, wanted: &str, without: &str, expected: &str) {
    let conflict = newest(&index(stanzas), &wish(wanted, without)).expect_err("this must not be solvable");
    let text = conflict.to_string();
    let text =
        text.strip_prefix("cannot choose the packages of `image`\n").expect("the first line names the set");
    assert_eq!(text, expected.trim());
}

#[test]
fn a_misspelt_wish() {
    says(
        "postgresql-17 17\n\npostgresql-16 16\n\nnothing-like-it 1",
        "postgresq-17 zzz",
        "",
        "
`postgresq-17`, wanted by @base, is in no suite for amd64 (trixie)
  help: did you mean `postgresql-17` or `postgresql-16`?
`zzz`, wanted by @base, is in no suite for amd64 (trixie)
  help: look it up in the archive; another suite or component may have it",
    );
}

#[test]
fn a_wish_that_is_left_out() {
    says(
        "perl 5",
        "perl",
        "perl",
        "
`perl` is wanted by @base, but left out (scripts do not run)
  help: drop one of the two",
    );
}

#[test]
fn a_wish_for_a_virtual_name() {
    says(
        "mawk 1\nProvides: awk\n\ngawk 1\nProvides: awk",
        "awk",
        "",
        "
`awk`, wanted by @base, is only a name that others provide
  help: ask for one of them: gawk, mawk",
    );
}

#[test]
fn something_deep_down_is_missing() {
    says(
        "app 1\nDepends: lib\n\nlib 2\nDepends: libfoo3 | libbar\n\nlibfoo2 1",
        "app",
        "",
        "
`libfoo3` is in no suite for amd64 (trixie); `libbar` is in no suite for amd64 (trixie)
  app 1 (wanted by @base) depends on lib
  lib 2 depends on libfoo3 | libbar
  help: did you mean `libfoo2`?
  help: add the suite or component that has it to the profile, or leave `libfoo3` out with a [[without]] and its reason",
    );
}

#[test]
fn a_version_that_is_not_there() {
    says(
        "app 1\nDepends: lib (>= 3)\n\nlib 2\n\nlib 1\n\nfake 1\nProvides: lib",
        "app",
        "",
        "
lib (>= 3) is needed, but there is only lib 2, lib 1, fake 1
  app 1 (wanted by @base) depends on lib (>= 3)
  help: add the suite or component that has it to the profile, or leave `lib` out with a [[without]] and its reason",
    );
}

#[test]
fn one_reason_for_many_wishes_is_told_once() {
    says(
        "a 1\nDepends: gone\n\nb 1\nDepends: gone\n\nfine 1",
        "a b fine",
        "",
        "
`gone` is in no suite for amd64 (trixie)
  a 1 (wanted by @base) depends on gone
  help: add the suite or component that has it to the profile, or leave `gone` out with a [[without]] and its reason",
    );
}

#[test]
fn two_wishes_that_conflict() {
    says(
        "connman 1\n\nnetworkd 2\nConflicts: connman\n\nbash 5",
        "bash connman networkd",
        "",
        "
networkd 2 conflicts with connman
  networkd 2 is wanted by @base
  connman 1 is wanted by @base
  help: drop one of these wishes, or leave a package out with a [[without]] and its reason",
    );
}

#[test]
fn a_conflict_between_what_two_wishes_need() {
    says(
        "app 1\nDepends: lib\n\nlib 2\nDepends: exim\n\nexim 4\nProvides: mta\nBreaks: mta\n\nmailer 1\nDepends: postfix (>= 3)\n\npostfix 3\nProvides: mta",
        "app mailer",
        "",
        "
exim 4 breaks mta, which postfix provides
  app 1 (wanted by @base) depends on lib
  lib 2 depends on exim
  mailer 1 (wanted by @base) depends on postfix (>= 3)
  help: drop one of these wishes, or leave a package out with a [[without]] and its reason",
    );
}

#[test]
fn two_versions_of_one_package() {
    says(
        "a 1\nDepends: lib (= 1)\n\nb 1\nDepends: lib (= 2)\n\nlib 1\n\nlib 2",
        "a b",
        "",
        "
lib 2 and lib 1 cannot both be installed
  b 1 (wanted by @base) depends on lib (= 2)
  a 1 (wanted by @base) depends on lib (= 1)
  help: drop one of these wishes, or leave a package out with a [[without]] and its reason",
    );
}

#[test]
fn alternatives_that_all_fail() {
    says(
        "app 1\nDepends: x | y\n\nx 1\nConflicts: other\n\ny 1\nConflicts: other\n\nother 1\n\nbash 5\nDepends: x | y | bash",
        "app other bash",
        "",
        "
x 1 conflicts with other; y 1 conflicts with other
  app 1 (wanted by @base) depends on x | y
  other 1 is wanted by @base
  help: drop one of these wishes, or leave a package out with a [[without]] and its reason",
    );
}

#[test]
fn a_newer_version_that_cannot_be_had_and_an_older_one_that_conflicts() {
    says(
        "app 1\nDepends: lib | else\n\nlib 2\nDepends: gone\n\nlib 1\nConflicts: other\n\nother 1\n\nelse 1\nBreaks: other\nDepends: lib",
        "app other",
        "",
        "
lib 2 depends on gone, which cannot be had; lib 1 conflicts with other; else 1 breaks other
  app 1 (wanted by @base) depends on lib | else
  other 1 is wanted by @base
  help: drop one of these wishes, or leave a package out with a [[without]] and its reason",
    );
}

#[test]
fn choices_that_fail_one_after_the_other() {
    says(
        "app 1\nDepends: a | b\n\nother 1\nDepends: c | d

a 1\nConflicts: c, d\n\nb 1\nConflicts: c, d\n\nc 1\n\nd 1\n\nbash 5",
        "app other bash",
        "",
        "
a 1 conflicts with c; a 1 conflicts with d
  other 1 (wanted by @base) depends on c | d
  app 1 (wanted by @base) depends on a | b
  a 1 serves for it
  and every other choice fails as well
  help: drop one of these wishes, or leave a package out with a [[without]] and its reason",
    );
}

#[test]
fn a_relation_that_cannot_be_read() {
    says(
        "app 1\nDepends: lib\n\nlib 1\nDepends: (>= 3)",
        "app",
        "",
        "
the stanza of lib 1 cannot be read: `(>= 3)` is not a relation to a package: it does not begin with a package name
  app 1 (wanted by @base) depends on lib
  lib 1
  help: try another mirror",
    );
}

#[test]
fn a_packages_file_that_cannot_be_read() {
    let good = packages("app 1\n\nlib 2");
    for (from, to, expected) in [
        ("Version: 2", "Version: a b", "line 8: `a b` is no value for Version:"),
        ("Package: lib", "Package: ../lib", "line 8: `../lib` is no value for Package:"),
        (
            "Filename: pool/lib",
            "Filename: ../pool/lib",
            "line 8: `../pool/lib_2_amd64.deb` is no value for Filename:",
        ),
        ("Size: 1000", "Size: -1", "line 1: `-1` is no value for Size:"),
        ("SHA256: ", "SHA512: ", "line 1: the stanza has no field `SHA256`"),
        ("Package: lib", "Package lib", "line 8: not of the form `Key: value`"),
    ] {
        let mut index = Index::new();
        let error = index.add("debian", "trixie", good.replacen(from, to, 1).as_bytes()).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with(&format!("Packages of debian trixie, {expected}")), "{message}");
        assert!(index.is_empty(), "nothing of a bad file is taken");
    }
    let mut bytes = good.into_bytes();
    bytes[30] = 0xff;
    let message = Index::new().add("debian", "trixie", &bytes).unwrap_err().to_string();
    assert!(message.contains("line 3: not UTF-8"), "{message}");
}
