//! docs/overlays.md, followed: its files made and its commands run in a copy of the project, then a look into the image.
//!
//! A fenced block is a file if the line before it names a path, commands if it is `sh`, and what the commands before
//! it print if it is `text`. What is typed on a device (`console`) is not run.

#![allow(clippy::unwrap_used)]

mod project;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use project::{GEMINIOS, copy, done, folder, geminios};
use serde_json::Value;

#[derive(Debug)]
enum Step {
    File { path: String, append: bool, text: String },
    Run { commands: String, prints: String },
}

fn page() -> String {
    fs::read_to_string(folder().join("docs/overlays.md")).unwrap()
}

/// The page as what it asks its reader to do.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lead = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let text: String =
                lines.by_ref().take_while(|l| *l != "```").flat_map(|line| [line, "\n"]).collect();
            let path =
                lead.ends_with(':').then(|| code(lead).filter(|word| word.contains('/')).last()).flatten();
            match (kind, path, steps.last_mut()) {
                ("sh", ..) => steps.push(Step::Run { commands: text, prints: String::new() }),
                ("console", ..) => {}
                (_, Some(path), _) => {
                    let append = lead.starts_with("At the end of");
                    steps.push(Step::File { path: path.to_owned(), append, text });
                }
                ("text", None, Some(Step::Run { prints, .. })) => *prints = text,
                _ => panic!("a block of {kind} that is neither file nor command, after `{lead}`"),
            }
        }
        lead = line;
    }
    steps
}

/// What stands between backticks.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The first line of `expected` that `printed` does not show, in order. `…` stands for anything, white space for any.
fn missing<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let printed: Vec<String> = printed.lines().map(words).collect();
    let mut rest = printed.iter();
    expected.lines().find(|wanted| !rest.any(|line| fits(&words(wanted), line)))
}

fn fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once('…') {
        None => pattern == line,
        Some((start, rest)) => line
            .strip_prefix(start)
            .is_some_and(|line| line.char_indices().any(|(at, _)| fits(rest, &line[at..])) || fits(rest, "")),
    }
}

/// A copy of the project with its sources: cargo looks at the whole workspace.
fn clone() -> tempfile::TempDir {
    let dir = copy();
    let sources = ["builder", "qemu-tests"].map(|name| folder().join(name));
    done(&Command::new("cp").arg("-r").args(sources).arg(dir.path()).output().unwrap());
    dir
}

/// Runs commands as a user's shell does; they must fail if the page shows an error, and else succeed.
fn run(dir: &Path, commands: &str, prints: &str) {
    let mut path = Path::new(GEMINIOS).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-ec", &format!("exec 2>&1\n{commands}")])
        .current_dir(dir)
        .env("PATH", path)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("GEMINIOS_PROJECT")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let fails = prints.lines().any(|line| line.starts_with("error: "));
    assert_eq!(output.status.success(), !fails, "{commands}{printed}");
    let missing = missing(prints, &printed);
    assert!(missing.is_none(), "{commands}does not print `{}`, but:\n{printed}", missing.unwrap());
}

#[test]
fn the_page_leads_to_an_image_with_the_component() {
    let dir = clone();
    for step in steps(&page()) {
        match step {
            Step::File { path, append, text } => {
                let path = dir.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                assert_eq!(path.exists(), append, "{}", path.display());
                let file = File::options().create(true).append(true).open(path);
                file.unwrap().write_all(text.as_bytes()).unwrap();
            }
            Step::Run { commands, prints } => run(dir.path(), &commands, &prints),
        }
    }
    let inspect = ["inspect", "out/x86-edge-generic-x86-uefi", "--files", "--format", "json"];
    let output = geminios(dir.path(), &inspect).output().unwrap();
    let image: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = image["packages"].as_array().unwrap();
    assert!(packages.iter().any(|package| package["name"] == "netcat-openbsd"));
    let cases = [
        ("/etc/hello/greeting", "file", "0640", 930),
        ("/usr/bin/hello", "file", "0755", 0),
        ("/usr/bin/nc", "symlink", "0777", 0),
        ("/usr/lib/systemd/system/hello.service", "file", "0644", 0),
        ("/etc/systemd/system/multi-user.target.wants/hello.service", "symlink", "0777", 0),
    ];
    for (path, kind, mode, gid) in cases {
        let entry = &image["files"][path];
        assert_eq!((&entry["kind"], &entry["mode"]), (&kind.into(), &mode.into()), "{path}: {entry}");
        assert_eq!((&entry["uid"], &entry["gid"]), (&0.into(), &gid.into()), "{path}: {entry}");
    }
    assert!(image["files"]["/var/lib/hello"].is_null(), "/var is made on the device");
}

/// Keys with the table they stand in, as TOML writes it: `[[program]]`, and `[program.go]` for a table inside one.
fn collect_keys(
    schema: &Value,
    part: &Value,
    path: &str,
    table: &str,
    known: &mut BTreeSet<(String, String)>,
) {
    for (name, value) in part["properties"].as_object().unwrap() {
        let inner = |reference: &Value| schema.pointer(&reference.as_str()?[1..]);
        let dotted = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (inner(&value["items"]["$ref"]), inner(&value["$ref"])) {
            (Some(list), _) if list["properties"].is_object() => {
                collect_keys(schema, list, &dotted, &format!("[[{dotted}]]"), known);
            }
            (_, Some(inner)) if inner["properties"].is_object() => {
                collect_keys(schema, inner, &dotted, &format!("[{dotted}]"), known);
            }
            _ => {
                known.insert((table.to_owned(), name.clone()));
            }
        }
    }
}

#[test]
fn every_key_is_explained_and_no_other() {
    let output = geminios(&folder(), &["schema", "overlay"]).output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut known = BTreeSet::new();
    collect_keys(&schema, &schema, "", "", &mut known);
    let page = page();
    let rows = page.lines().skip_while(|line| !line.starts_with("| key |")).skip(2);
    let mut explained = BTreeSet::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let (tables, keys): (Vec<&str>, Vec<&str>) =
            code(row.split('|').nth(1).unwrap()).partition(|word| word.starts_with('['));
        let table = tables.concat();
        explained.extend(keys.into_iter().map(|key| (table.clone(), key.to_owned())));
    }
    assert_eq!(explained, known);
}

#[test]
fn what_a_page_shows_is_looked_for_in_order() {
    let printed = "  index  70 packages (1.2 s)\nimage: 1 added\n  + x  1.0  for @y\n";
    let cases = [
        ("index … packages (…)\nimage: 1 added…\n", None),
        ("…\n+ x … for @y", None),
        ("image: 1 add", Some("image: 1 add")),
        ("+ x … for @z", Some("+ x … for @z")),
        ("image: 1 added\nindex … (…)", Some("index … (…)")),
    ];
    for (expected, wanted) in cases {
        assert_eq!(missing(expected, printed), wanted, "{expected}");
    }
}
