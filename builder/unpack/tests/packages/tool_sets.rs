//! Packages of a tool set in one folder: none writes through another's link, and no link leads out of the set.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use geminios_fetch::Blob;
use geminios_model::{Arch, LockedPackage, Silent};
use geminios_unpack::{ToolSet, ToolSetError};

use crate::package::{Entry, deb, file, folder, hard_link, link};
use crate::world::World;

impl World {
    /// Opens a set of packages with these members.
    fn tools(&self, packages: &[(&str, Vec<Entry>)]) -> Result<ToolSet, ToolSetError> {
        let packages: Vec<_> =
            packages.iter().map(|(name, members)| self.locked(name, &deb(members))).collect();
        let arch = Arch::host().expect("a host that tools are built for");
        let set = ToolSet::open(&self.store, &self.steps, "mkfs", arch, &packages, &Silent);
        let known = ToolSet::unpacked(&self.steps, arch, packages.iter().map(|(locked, _)| locked)).unwrap();
        assert_eq!(known.is_some(), set.is_ok(), "a refused set counts as unpacked, or a good one does not");
        set
    }

    fn locked(&self, name: &str, deb: &[u8]) -> (LockedPackage, Blob) {
        let blob = self.store.put_bytes(deb).unwrap();
        let locked = LockedPackage {
            name: name.into(),
            version: "1.0".into(),
            architecture: "all".into(),
            sets: BTreeMap::new(),
            archive: "debian".into(),
            filename: format!("pool/{name}.deb"),
            size: blob.size,
            sha256: blob.digest,
            source: (name.into(), "1.0".into()),
            scripts: Vec::new(),
        };
        (locked, blob)
    }
}

fn below(folders: &[&str], last: Entry) -> Vec<Entry> {
    folders.iter().map(|path| folder(path)).chain([last]).collect()
}

#[test]
fn two_packages_that_cannot_be_together() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let help = "help: take one of the two packages out of the tool set";
    let through = |path, place| {
        format!(
            "{path} of package b would be written through {place} of package a, which is no folder\n  {help}"
        )
    };
    let clash = |path| {
        let help = help.replace("two packages", "two");
        format!("packages a and b both bring {path}, and not the same\n  {help}")
    };
    let evil = || below(&["./usr", "./usr/x"], file("./usr/x/evil", ""));
    let leads = |target| below(&["./usr"], link("./usr/x", target));
    let sh = |text| below(&["./bin"], file("./bin/sh", text));
    let usr_sh = |text| below(&["./usr", "./usr/bin"], file("./usr/bin/sh", text));
    let cases: [(String, Vec<Entry>, Vec<Entry>); 10] = [
        (clash("/usr/x"), leads(target), evil()),
        (clash("/usr/x"), evil(), leads(target)),
        (clash("/usr/x"), leads("bin"), leads("sbin")),
        // /bin is a link to /usr/bin wherever packages of a set come together.
        (through("/usr/bin", "/usr"), vec![link("./usr", target)], sh("dash")),
        (through("/usr/bin", "/usr"), vec![file("./usr", "")], sh("dash")),
        (clash("/usr/bin"), below(&["./usr"], link("./usr/bin", target)), sh("dash")),
        (clash("/usr/bin"), vec![file("./bin", "")], sh("dash")),
        (clash("/usr/bin/sh"), sh("dash"), sh("bash")),
        (clash("/usr/bin/sh"), sh("dash"), usr_sh("bash")),
        (clash("/usr/bin/sh"), sh("dash"), below(&["./bin"], file("./bin/sh", "dash").mode(0o755))),
    ];
    for (expected, a, b) in cases {
        let error = World::new().tools(&[("a", a), ("b", b)]).expect_err(&expected);
        assert_eq!(error.to_string(), expected);
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "written outside: {expected}");
    }
}

#[test]
fn every_link_of_a_set_stays_in_it() {
    let world = World::new();
    let folders = ["./usr", "./usr/bin", "./usr/bin/deep"];
    let targets = [
        "/",
        "..",
        "../../../../../..",
        "/etc",
        "/../../etc",
        "../../..",
        // Above the set, if a link of the set were followed before the `..` after it.
        "top/..",
        "top/../..",
        "deep/../top/../..",
        "top/usr/bin/top/../../..",
    ];
    let links = targets.iter().enumerate().map(|(i, target)| link(&format!("./usr/bin/l{i}"), target));
    let members = below(&folders, link("./usr/bin/top", "/")).into_iter().chain(links).collect();
    let set = world.tools(&[("a", members)]).unwrap();
    let root = set.path("").canonicalize().unwrap();
    for (i, target) in targets.iter().enumerate() {
        let link = set.path(&format!("usr/bin/l{i}"));
        let leads = link.canonicalize().unwrap_or_else(|_| root.clone());
        assert!(leads.starts_with(&root), "{target} leads to {}", leads.display());
    }
}

#[test]
fn a_set_has_what_its_packages_bring() {
    let world = World::new();
    let first = vec![
        folder("./bin"),
        file("./bin/sh", "a shell").mode(0o4755),
        hard_link("./bin/dash", "./bin/sh"),
        folder("./usr"),
        folder("./usr/share"),
        folder("./usr/share/doc"),
        file("./usr/share/doc/copyright", "long"),
        file("./usr/share/docs", "kept"),
    ];
    let second = vec![
        folder("./usr"),
        folder("./usr/share"),
        file("./usr/share/docs", "kept"),
        link("./bin", "usr/bin"),
    ];
    let set = world.tools(&[("a", first), ("b", second)]).unwrap();
    assert_eq!(
        listing(&set.path("")),
        [
            "bin -> usr/bin",
            "lib -> usr/lib",
            "lib64 -> usr/lib64",
            "sbin -> usr/sbin",
            "usr/",
            "usr/bin/",
            "usr/bin/dash 755 a shell",
            "usr/bin/sh 755 a shell",
            "usr/share/",
            "usr/share/docs 644 kept",
        ]
    );
}

/// Paths below a folder, sorted; of files the mode and the text, of links the target.
fn listing(root: &Path) -> Vec<String> {
    let (mut lines, mut open) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let metadata = fs::symlink_metadata(&path).unwrap();
            lines.push(if metadata.is_symlink() {
                format!("{name} -> {}", fs::read_link(&path).unwrap().display())
            } else if metadata.is_dir() {
                open.push(path);
                format!("{name}/")
            } else {
                let mode = metadata.permissions().mode() & 0o7777;
                format!("{name} {mode:o} {}", fs::read_to_string(&path).unwrap())
            });
        }
    }
    lines.sort();
    lines
}

#[test]
fn sets_that_cannot_be_opened() {
    let world = World::new();
    let open = |arch, packages: &[(LockedPackage, Blob)]| {
        let set = ToolSet::open(&world.store, &world.steps, "mkfs", arch, packages, &Silent);
        set.expect_err("a set was opened").to_string()
    };
    let host = Arch::host().expect("a host that tools are built for");
    let foreign = if host == Arch::Riscv64 { Arch::Arm64 } else { Arch::Riscv64 };
    let good = world.locked("a", &deb(&[file("./x", "")]));
    assert_eq!(
        open(foreign, &[good]),
        format!(
            "tool set `mkfs` is for {foreign}, and this host is not\n  help: build on a host with that architecture"
        )
    );
    assert_eq!(
        open(host, &[]),
        "tool set `mkfs` has no packages in the lock\n  help: lock again with `geminios lock PROFILE`"
    );
    let hostile = world.locked("a", &deb(&[file("../x", "")]));
    assert!(open(host, &[hostile]).starts_with("demo 1.0: path `/../x` climbs out with `..`"));
}
