//! Programs of overlays that are Go modules: real compilations by the locked Go, and what is said when one cannot be.

#![allow(clippy::unwrap_used)]

mod project;

use std::fs;
use std::path::Path;

use project::{cold_cache, copy, done, edit, geminios, refusal};
use tempfile::TempDir;

const OVERLAY: &str = r#"name = "greeter"
description = "Greets, in Go"

[[program]]
source = "greeter"
binary = "greeter"
path = "/usr/bin/greeter"
place = "root"

[program.go]
strings = { "main.version" = "v1" }
"#;
const MODULE: &str = "module greeter\n\ngo 1.26.0\n\nrequire golang.org/x/sync v0.18.0\n";
const SUM: &str = "\
golang.org/x/sync v0.18.0 h1:kr88TuHDroi+UVf+0hZnirlk8o8T+4MrK6mr60WkH/I=
golang.org/x/sync v0.18.0/go.mod h1:9KTHXmSnoGruLpwFjVSX0lNNA75CykiMECbovNTZqGI=
";
const MAIN: &str = r#"package main

import (
	"fmt"

	"golang.org/x/sync/errgroup"
)

var version string

func main() {
	var group errgroup.Group
	group.Go(func() error { fmt.Println("hello", version); return nil })
	_ = group.Wait()
}
"#;

/// A project with one Go program more.
fn project() -> TempDir {
    let dir = copy();
    let module = dir.path().join("overlays/greeter/greeter");
    fs::create_dir_all(&module).unwrap();
    for (file, text) in [("../overlay.toml", OVERLAY), ("go.mod", MODULE), ("go.sum", SUM), ("main.go", MAIN)]
    {
        fs::write(module.join(file), text).unwrap();
    }
    edit(dir.path(), "profiles/x86-edge.toml", "\"postgresql\"", "\"greeter\", \"postgresql\"");
    dir
}

/// The root hash of a build, and its line of the program: mode, owner, size and digest.
fn built(dir: &Path, cache: Option<&Path>, offline: bool) -> (String, String) {
    let mut arguments = vec!["build", "x86-edge", "--no-compress"];
    arguments.extend(offline.then_some("--offline"));
    let mut build = geminios(dir, &arguments);
    build.envs(cache.map(|cache| ("GEMINIOS_CACHE", cache)));
    done(&build.output().unwrap());
    let out = "out/x86-edge-generic-x86-uefi";
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.join(out).join("manifest.json")).unwrap()).unwrap();
    let files = geminios(dir, &["inspect", out, "--files"]).output().unwrap();
    let files = String::from_utf8(files.stdout).unwrap();
    let line = files.lines().find(|line| line.contains("/usr/bin/greeter")).unwrap().to_owned();
    (manifest["root_hash"].as_str().unwrap().to_owned(), line)
}

#[test]
fn a_go_program_is_the_same_from_any_cache_and_folder() {
    let (here, there) = (project(), project());
    // No cache has it from an earlier run, and the cold one is copied before this run makes it.
    let greeting = format!("\"hello {}\"", std::process::id());
    for dir in [&here, &there] {
        edit(dir.path(), "overlays/greeter/greeter/main.go", "\"hello\"", &greeting);
    }
    let cold = cold_cache(there.path());
    let first = built(here.path(), None, false);
    assert_eq!(built(there.path(), Some(&cold), false), first);
    // What was fetched once is enough for another version of the program.
    edit(there.path(), "overlays/greeter/greeter/main.go", "hello", "good morning");
    let changed = built(there.path(), Some(&cold), true);
    assert_ne!(changed, first);
    edit(there.path(), "overlays/greeter/overlay.toml", "\"v1\"", "\"v2\"");
    assert_ne!(built(there.path(), Some(&cold), true), changed);
}

#[test]
fn go_programs_that_cannot_be_compiled() {
    // (file below the overlay, good, bad, words that must stand in the message)
    let wrong = "h1:kr88TuHDroi+UVf+0hZnirlk8o8T+4MrK6mr60WkH/A=";
    let cases = [
        (
            "greeter/go.sum",
            "h1:kr88TuHDroi+UVf+0hZnirlk8o8T+4MrK6mr60WkH/I=",
            wrong,
            vec!["is not the one that", "greeter/go.sum names", "checksum mismatch", "do not build from it"],
        ),
        ("greeter/go.sum", SUM, "", vec!["missing go.sum entry", "go mod tidy"]),
        (
            "greeter/main.go",
            "fmt.Println(\"hello\", version)",
            "fmt.Println(greeting)",
            vec!["main.go:13:", "undefined: greeting"],
        ),
        (
            "overlay.toml",
            "\"greeter\"\nbinary",
            "\"greeting\"\nbinary",
            vec!["overlays/greeter/overlay.toml:5", "there is no program `greeting`", "go.mod"],
        ),
        (
            "overlay.toml",
            "\"v1\"",
            "\"v1 beta\"",
            vec!["overlays/greeter/overlay.toml:11", "`v1 beta` cannot be given to Go", "without blanks"],
        ),
        (
            "overlay.toml",
            "\"main.version\"",
            "\"version\"",
            vec!["overlays/greeter/overlay.toml", "`version` is not a variable of a Go package"],
        ),
        (
            "../../tools.toml",
            "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
            "h1:AOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
            vec!["golang.org/toolchain@v0.0.1-go", "but tools.toml pins h1:AOm"],
        ),
        (
            "../../tools.toml",
            "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=",
            "h2:x",
            vec!["tools.toml:", "`h2:x` is not a hash of a module", "go mod download -json"],
        ),
    ];
    for (file, good, bad, words) in cases {
        let dir = project();
        edit(&dir.path().join("overlays/greeter"), file, good, bad);
        let said = refusal(dir.path(), &["build", "x86-edge", "--no-compress"], 1);
        for word in words {
            assert!(said.contains(word), "`{word}` is missing in:\n{said}");
        }
        assert!(!said.contains("unfinished"), "a folder of the cache is named:\n{said}");
    }
}
