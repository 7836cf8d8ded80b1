//! Small archives for tests: stanzas of `name version` and a few fields.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;

use geminios_model::{Arch, Digest};
use geminios_resolve::{Conflict, Index, Preferences, Solution, Wish, solve};

/// Completes stanzas that begin with `name version` or `name version architecture`.
pub fn packages(stanzas: &str) -> String {
    stanzas.trim().split("\n\n").map(stanza).collect::<Vec<_>>().join("\n")
}

fn stanza(text: &str) -> String {
    let mut lines = text.trim().lines();
    let words: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let (name, version) = (words[0], words[1]);
    let arch = words.get(2).unwrap_or(&"amd64");
    let fields: String = lines.map(|line| format!("{}\n", line.trim())).collect();
    let digest = Digest::of(format!("{name} {version} {arch}"));
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: {arch}\n{fields}Filename: pool/{name}_{version}_{arch}.deb\nSize: 1000\nSHA256: {digest}\n"
    )
}

pub fn index(stanzas: &str) -> Index {
    let mut index = Index::new();
    index.add("debian", "trixie", packages(stanzas).as_bytes()).unwrap();
    index
}

/// `wish("app lib", "perl")` asks for app and lib and leaves perl out.
pub fn wish(wanted: &str, without: &str) -> Wish {
    Wish {
        set: "image".into(),
        arch: Arch::Amd64,
        packages: wanted.split_whitespace().map(|p| (p.to_owned(), "@base".to_owned())).collect(),
        without: without
            .split_whitespace()
            .map(|p| (p.to_owned(), "scripts do not run".to_owned()))
            .collect::<BTreeMap<_, _>>(),
        essential: false,
    }
}

pub fn newest(index: &Index, wish: &Wish) -> Result<Solution, Conflict> {
    solve(index, wish, &Preferences::newest())
}

/// `name version <- reason`, one a line.
pub fn shown(solution: &Solution) -> String {
    let packages = solution.packages.iter();
    packages.map(|p| format!("{} {} <- {}\n", p.name, p.version, p.sets[&solution.set])).collect()
}

/// Names only.
pub fn names(solution: &Solution) -> String {
    solution.packages.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(" ")
}
