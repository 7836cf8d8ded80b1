//! The table of the CIS benchmark: whole, as its page says, and with checks that have been seen to fail. No machine is needed.

use std::path::Path;

use anyhow::{Context, Result};
use geminios_qemu_tests::cis::{Findings, KINDS, Number, Table, Verdict, rows};

#[path = "cis_table/scene.rs"]
mod scene;

use scene::{Scene, me};

/// What the benchmark marks as automated, and 5.1.1 to 5.1.6, which it did up to 1.10.
const AUTOMATED: &str = "1.1.1-8 1.1.11-19 1.2.2 1.2.4-8 1.2.10 1.2.12-19 1.2.21-26 1.2.30 1.3.2-7 1.4.1-2 2.1-6 4.1.1-2 4.1.5-6 \
     4.1.9-10 4.2.1-3 4.2.6 4.2.10 4.3.1 5.1.1-6";

#[test]
fn the_table_has_every_automated_control() -> Result<()> {
    let mut expected = Vec::new();
    for range in AUTOMATED.split_whitespace() {
        let (first, last) = range.split_once('-').unwrap_or((range, ""));
        let (group, first) = first.rsplit_once('.').context("no group")?;
        let first: u32 = first.parse()?;
        let last = if last.is_empty() { first } else { last.parse()? };
        expected.extend((first..=last).map(|last| format!("{group}.{last}")));
    }
    let table = Table::of_benchmark()?;
    let numbers: Vec<String> = table.0.iter().map(|control| control.number.to_string()).collect();
    assert_eq!(numbers, expected);
    Ok(())
}

#[test]
fn the_page_shows_the_table() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cis.md");
    let page = std::fs::read_to_string(&path)?;
    let (head, _) = page.split_once("| number |").context("docs/cis.md has no table")?;
    let expected = format!("{head}{}", rows(&Table::of_benchmark()?));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected)?;
    } else {
        assert!(page == expected, "docs/cis.md and qemu-tests/cis disagree: run this test with UPDATE=1");
    }
    Ok(())
}

#[test]
fn numbers_are_ordered_as_numbers() -> Result<()> {
    assert!(Number::parse("1.2.9")? < Number::parse("1.2.10")?);
    assert!(Number::parse("1.4.2")? < Number::parse("2.1")?);
    assert!(Number::parse("1..2").is_err());
    Ok(())
}

fn control(number: &str, rest: &str) -> String {
    format!("[[control]]\nnumber = \"{number}\"\ntitle = \"t\"\n{rest}\n")
}

#[test]
fn a_table_that_says_nothing_or_two_things_is_refused() {
    let absent = "check = [[\"flag-absent\", \"a\", \"--b\"]]";
    let table = [
        (control("1.10", absent) + &control("1.9", absent), "1.9 stands after 1.10"),
        (control("1.1", absent) + &control("1.1", absent), "1.1 stands after 1.1"),
        (control("1.1", ""), "1.1 applies and has no check"),
        (control("1.1", "deviates = \"for now\""), "1.1 applies and has no check"),
        (control("1.1", "deviates = \"a\"\ndoes-not-apply = \"b\""), "1.1 does not apply and deviates"),
        (control("1.1", "check = [[\"flags\", \"a\"]]"), "no kind of check is named `flags`"),
        (control("1.1", "check = [[\"flag-absent\", \"a\"]]"), "`flag-absent` takes 2 words, not 1"),
        (
            control("1.1", "check = [[\"flag-absent\", \"a\", \"it's\"]]"),
            "a quote, tab or letter beyond ASCII",
        ),
        (control("1.1", "chekc = []"), "unknown field `chekc`"),
    ];
    for (text, expected) in table {
        let error = Table::parse(&[&text]).map(drop).unwrap_err();
        assert!(format!("{error:?}").contains(expected), "{error:?}");
    }
}

#[test]
fn the_script_goes_through_a_terminal() -> Result<()> {
    let script = Table::of_benchmark()?.script();
    let is_typed = |line: &str| line.len() < 400 && line.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    assert!(script.lines().all(is_typed));
    assert!(!script.contains("\nEND\n"), "it ends with that word on the device");
    Ok(())
}

#[test]
fn the_verdict_names_whatever_the_table_does_not_say() -> Result<()> {
    let check = "check = [[\"flag-absent\", \"a\", \"--b\"]]\n";
    let text = control("1.1", check)
        + &control("1.2", check)
        + &control("1.3", &format!("{check}deviates = \"for now\""))
        + &control("1.4", &format!("{check}deviates = \"for now\""))
        + &control("1.5", "does-not-apply = \"no such part\"")
        + &control("1.6", &format!("{check}does-not-apply = \"another part\""))
        + &control("1.7", check);
    let printed = "1.1 PASS\n1.2 FAIL a has --b x\n1.3 FAIL a has --b x\n1.4 PASS\n1.6 FAIL gone\n2.1 PASS";
    let verdict = Verdict::of(&Table::parse(&[&text])?, &Findings::parse(printed)?);
    assert_eq!(
        verdict.to_string(),
        "CIS: 2 of 5 automated controls pass, 2 do not apply, 3 fail (1.2, 1.3, 1.7)"
    );
    assert!((verdict.ratio() - 0.4).abs() < 1e-9);
    let expected = [
        "1.2 fails: a has --b x",
        "1.4 passes now: take its `deviates` out",
        "1.6 what stands in its place fails: gone",
        "1.7 was not checked",
        "2.1 is not in the table",
    ];
    assert_eq!(verdict.unexpected, expected);
    for stray in ["bash: no such file", "1.1 PASSED", "1.1 PASS\n1.1 PASS", "1.1 FAIL"] {
        assert!(Findings::parse(stray).is_err(), "{stray}");
    }
    Ok(())
}

/// One check of each kind, or more. They pass in the good scene.
fn checks(me: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["flag-absent", "kube-apiserver", "--token-auth-file"],
        vec!["flag-is", "kube-apiserver", "--profiling", "false"],
        vec!["flag-is", "kube-apiserver", "--allow-privileged", "true"],
        vec!["flag-has", "kube-apiserver", "--authorization-mode", "RBAC"],
        vec!["flag-lacks", "kube-apiserver", "--authorization-mode", "AlwaysAllow"],
        vec!["flag-at-least", "kube-apiserver", "--audit-log-maxage", "30"],
        vec!["flag-file", "kube-apiserver", "--client-ca-file", "644", me],
        vec!["file", "/pki/ca.key", "600", me],
        vec!["tree", "/pki/authority", me],
        vec!["unit", "kubelet.service", "600", me],
        vec!["working-folder", "postgres", "700", me],
        vec!["kubelet-has", "\"anonymous\":{\"enabled\":false}"],
        vec!["answers", "401", "https://127.0.0.1:10250/pods"],
        vec!["tls-refused", "1.1", "https://127.0.0.1:6443/"],
        vec!["port-on-loopback", "10257"],
        vec!["not-served", "https://127.0.0.1:6443", "/debug/pprof/"],
        vec!["nobody-may", "get", "secrets"],
        vec!["every-line", "^false$", "get", "serviceaccounts"],
        vec!["no-line", "^[^ ]+ .", "get", "pods"],
        vec!["port-closed", "10255"],
    ]
}

fn found(scene: &Scene, checks: &[Vec<&str>]) -> Result<Vec<String>> {
    let mut text = String::new();
    for (n, check) in checks.iter().enumerate() {
        text += &control(&format!("1.{}", n + 1), &format!("check = [{}]", serde_json::to_string(check)?));
    }
    let printed = scene.run(&Table::parse(&[&text])?.script())?;
    Findings::parse(&printed)?;
    Ok(printed.lines().map(str::to_owned).collect())
}

#[test]
fn every_kind_of_check_is_seen_to_pass_and_to_fail() -> Result<()> {
    let me = me()?;
    let checks = checks(&me);
    for kind in &KINDS {
        assert!(checks.iter().any(|check| check[0] == kind.name), "{} is not tried", kind.name);
    }
    let good = found(&Scene::good()?, &checks)?;
    let broken = found(&Scene::broken()?, &checks)?;
    let empty = found(&Scene::empty()?, &checks)?;
    for (n, check) in checks.iter().enumerate() {
        assert_eq!(good[n], format!("1.{} PASS", n + 1), "{check:?}");
        assert!(broken[n].contains(" FAIL "), "{check:?}: {}", broken[n]);
        // Where nothing runs and nobody answers, nothing is in order; but no port is open either.
        assert_eq!(empty[n].contains(" FAIL "), check[0] != "port-closed", "{check:?}: {}", empty[n]);
    }
    Ok(())
}

#[test]
fn what_belongs_to_another_or_is_a_link_fails() -> Result<()> {
    let me = me()?;
    let scene = Scene::good()?;
    let rows = [
        (vec!["file", "/pki/ca.key", "600", "nobody:nogroup"], "1.1 FAIL /pki/ca.key is 600"),
        (vec!["file", "/pki/ca.key", "400", &me], "1.1 FAIL /pki/ca.key is 600"),
        (vec!["file", "/pki/link", "600", &me], "1.1 FAIL /pki/link is 777"),
        (vec!["tree", "/pki", "nobody:nogroup"], "1.1 FAIL"),
    ];
    for (check, expected) in rows {
        let line = found(&scene, &[check])?.concat();
        assert!(line.starts_with(expected), "{line}");
    }
    Ok(())
}
