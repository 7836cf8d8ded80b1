//! Which packages are chosen for a wish.
#![allow(clippy::unwrap_used)]

mod archive;

use archive::{index, names, newest, packages, shown, wish};
use geminios_model::{Arch, Digest, Lock};
use geminios_resolve::{Index, Preferences, ScriptInfo, Solution, assemble, solve};
use proptest::prelude::*;

#[track_caller]
fn chooses(stanzas: &str, wanted: &str, without: &str, expected: &str) -> Solution {
    let solution = newest(&index(stanzas), &wish(wanted, without)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(names(&solution), expected);
    solution
}

#[test]
fn what_is_depended_on_comes_with_it_and_says_why() {
    let solution = chooses(
        "app 1.0\nDepends: lib (>= 2), tool\nPre-Depends: early\nRecommends: extra\nSuggests: more

lib 2.0\nDepends: deep

early 1

tool 3\nDepends: deep

deep 1

extra 1

more 1",
        "app",
        "",
        "app deep early lib tool",
    );
    assert_eq!(
        shown(&solution),
        "app 1.0 <- @base\ndeep 1 <- lib\nearly 1 <- app\nlib 2.0 <- app\ntool 3 <- app\n"
    );
}

#[test]
fn circles_end() {
    chooses("a 1\nDepends: b\n\nb 1\nDepends: c\n\nc 1\nDepends: a", "a", "", "a b c");
}

#[test]
fn the_newest_version_of_all_suites_wins() {
    let mut index = index("app 1.0-1\nDepends: lib\n\nlib 2.9");
    index.add("debian-security", "trixie-security", packages("lib 2.10").as_bytes()).unwrap();
    index.add("debian", "trixie-updates", packages("lib 2.10~rc1\n\napp 1.0-1").as_bytes()).unwrap();
    let solution = newest(&index, &wish("app", "")).unwrap();
    assert_eq!(shown(&solution), "app 1.0-1 <- @base\nlib 2.10 <- app\n");
    let archives: Vec<&str> = solution.packages.iter().map(|p| p.archive.as_str()).collect();
    assert_eq!(archives, ["debian", "debian-security"]);
}

#[test]
fn an_older_version_is_taken_where_the_newest_does_not_fit() {
    let solution = chooses(
        "app 1\nDepends: lib (<< 2)\n\nlib 1.5\n\nlib 2.0\n\nother 1\nDepends: lib",
        "app other",
        "",
        "app lib other",
    );
    assert_eq!(solution.packages[1].version, "1.5");
}

#[test]
fn the_first_alternative_that_can_be_satisfied_is_taken() {
    let stanzas = "app 1\nDepends: gone | best | good\n\nbest 1\n\ngood 1";
    chooses(stanzas, "app", "", "app best");
    chooses("app 1\nDepends: best (>= 2) | good\n\nbest 1\n\ngood 1", "app", "", "app good");
    chooses("app 1\nDepends: best | good\n\nbest 1\nDepends: gone\n\ngood 1", "app", "", "app good");
}

#[test]
fn an_alternative_that_is_there_anyway_is_enough() {
    let stanzas = "app 1\nDepends: best | good\n\nzapp 1\nDepends: good\n\nbest 1\n\ngood 1";
    let solution = chooses(stanzas, "app zapp", "", "app good zapp");
    assert_eq!(shown(&solution), "app 1 <- @base\ngood 1 <- app\nzapp 1 <- @base\n");
}

#[test]
fn a_package_goes_before_those_that_provide_its_name() {
    chooses("app 1\nDepends: mta\n\nalso 1\nProvides: mta\n\nmta 1", "app", "", "app mta");
}

#[test]
fn of_providers_the_one_of_higher_priority_then_the_first_by_name_is_taken() {
    chooses("app 1\nDepends: mta\n\nb 1\nProvides: mta\n\na 1\nProvides: mta", "app", "", "a app");
    let awk = "app 1\nDepends: awk\n\ngawk 1\nProvides: awk\n\nmawk 1\nProvides: awk\nPriority: required";
    chooses(awk, "app", "", "app mawk");
}

#[test]
fn the_package_nearest_to_a_wish_decides() {
    let stanzas = "ssh 1\nDepends: base\n\nsql 1\nDepends: common\n\ncommon 1\nDepends: tool | base

base 1\nDepends: tool\n\ntool 1\nProvides: base";
    chooses(stanzas, "ssh sql", "", "base common sql ssh tool");
    chooses(&stanzas.replace("ssh 1", "app 1"), "app sql", "", "app base common sql tool");
}

#[test]
fn versioned_provides() {
    let stanzas = "app 1\nDepends: api (>= 2)\n\nold 9\nProvides: api (= 1)\n\nnew 1\nProvides: api (= 2.1)\n\nany 9\nProvides: api";
    chooses(stanzas, "app", "", "app new");
}

#[test]
fn conflicts_and_breaks_keep_packages_apart() {
    for field in ["Conflicts", "Breaks"] {
        let stanzas = format!(
            "app 1\nDepends: a | b\n\nother 1\n{field}: a\n\na 1\n\nb 1\n\nthird 1\n{field}: a (<< 1)\n\nfourth 1\n{field}: b (<< 1)"
        );
        chooses(&stanzas, "app other", "", "app b other");
        chooses(&stanzas, "app third", "", "a app third");
    }
}

#[test]
fn a_package_may_conflict_with_the_name_it_provides() {
    let stanzas = "exim 1\nProvides: mta\nConflicts: mta\n\npostfix 1\nProvides: mta\nConflicts: mta\n\napp 1\nDepends: mta";
    chooses(stanzas, "app postfix", "", "app postfix");
    assert!(newest(&index(stanzas), &wish("exim postfix", "")).is_err());
}

#[test]
fn architectures_and_qualifiers() {
    let stanzas = "app 1\nDepends: python:any, lib:native, lib:amd64, foreign [arm64], data

python 3\nMulti-Arch: allowed

lib 1

data 1 all

data 2 arm64";
    let solution = chooses(stanzas, "app", "", "app data lib python");
    assert_eq!(solution.packages[1].version, "1", "the newer one is for arm64");
    for (stanzas, wanted) in [
        ("app 1\nDepends: lib:any\n\nlib 1\nMulti-Arch: same", "app"),
        ("app 1\nDepends: lib:i386\n\nlib 1\nMulti-Arch: foreign", "app"),
        ("app 1 arm64", "app"),
    ] {
        assert!(newest(&index(stanzas), &wish(wanted, "")).is_err(), "{stanzas}");
    }
    let mut arm = wish("app", "");
    arm.arch = Arch::Arm64;
    assert_eq!(names(&newest(&index("app 1 arm64\nDepends: data\n\ndata 1 all"), &arm).unwrap()), "app data");
}

#[test]
fn a_package_that_is_left_out_counts_as_present() {
    let stanzas = "app 1\nDepends: debconf (>= 9) | debconf-2.0, perl:any

debconf 1.5\nProvides: debconf-2.0\nDepends: perl

cdebconf 1\nProvides: debconf-2.0

locales 1

locales-all 1\nProvides: locales

locale-user 1\nDepends: locales | locales-all

virtual-user 1\nDepends: debconf-2.0

perl 5";
    // Leaving a package out must not pull its alternative.
    chooses(stanzas, "app", "debconf perl", "app");
    chooses(stanzas, "locale-user", "locales", "locale-user");
    chooses(stanzas, "locale-user", "locales-all", "locale-user");
    // Nor another package that provides what it provides.
    chooses(stanzas, "virtual-user", "debconf", "virtual-user");
    let solution = chooses(stanzas, "app", "debconf perl locales", "app");
    assert_eq!(solution.unused_without, ["locales"]);
}

#[test]
fn a_left_out_package_is_in_nobodys_way() {
    chooses("app 1\nConflicts: sysv\nDepends: sysv | other\n\nsysv 1\n\nother 1", "app", "sysv", "app");
}

#[test]
fn essential_packages_come_if_asked_for() {
    let index = index(
        "app 1\n\nbash 5\nEssential: yes\nDepends: base\n\nlibc 2\nPriority: required\n\nbase 1\n\nperl 5\nEssential: yes",
    );
    let mut wish = wish("app", "perl");
    wish.essential = true;
    let solution = newest(&index, &wish).unwrap();
    assert_eq!(
        shown(&solution),
        "app 1 <- @base\nbase 1 <- bash\nbash 5 <- @essential\nlibc 2 <- @essential\n"
    );
    assert_eq!(solution.unused_without, [""; 0]);
}

fn locked(solution: &Solution) -> Lock {
    let scripts: ScriptInfo = solution.packages.iter().map(|p| (p.sha256, Vec::new())).collect();
    assemble("test", Digest::of("wishes"), Vec::new(), std::slice::from_ref(solution), &scripts).unwrap()
}

#[test]
fn locked_versions_stay_until_they_are_updated() {
    let before =
        "app 1\nDepends: lib, tool\n\nlib 1\nSource: libs (1)\n\nlib-data 1\nSource: libs (1)\n\ntool 1";
    let after = "app 1\nDepends: lib, tool\n\nlib 1\nSource: libs (1)\n\nlib-data 1\nSource: libs (1)\n\ntool 1

app 2\nDepends: lib, tool\n\nlib 2\nSource: libs (2)\nDepends: lib-data (= 2)\n\nlib-data 2\nSource: libs (2)\n\ntool 2";
    let wish = wish("app lib-data", "");
    let lock = locked(&newest(&index(before), &wish).unwrap());
    let versions = |preferences: &Preferences| {
        shown(&solve(&index(after), &wish, preferences).unwrap())
            .lines()
            .map(|line| line.split(" <-").next().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(versions(&Preferences::keep(&lock, "image")), "app 1, lib 1, lib-data 1, tool 1");
    assert_eq!(versions(&Preferences::newest()), "app 2, lib 2, lib-data 2, tool 2");
    // What is built from the same source moves together.
    let update = |name: &str| Preferences::keep_but(&lock, "image", &[name.to_owned()]);
    assert_eq!(versions(&update("lib").unwrap()), "app 1, lib 2, lib-data 2, tool 1");
    assert_eq!(versions(&update("tool").unwrap()), "app 1, lib 1, lib-data 1, tool 2");
    assert!(update("perl").unwrap_err().to_string().contains("`perl` is not in the lock"));
}

#[test]
fn an_update_takes_along_what_the_new_version_needs() {
    let before = "app 1\nDepends: base\n\nbase 1";
    let after = "app 1\nDepends: base\n\nbase 1\n\napp 2\nDepends: base (>= 2)\n\nbase 2";
    for (wanted, update) in [("app", "app"), ("app base", "app")] {
        let wish = wish(wanted, "");
        let lock = locked(&newest(&index(before), &wish).unwrap());
        let preferences = Preferences::keep_but(&lock, "image", &[update.to_owned()]).unwrap();
        let solution = solve(&index(after), &wish, &preferences).unwrap();
        assert!(shown(&solution).starts_with("app 2"), "{}", shown(&solution));
        assert!(shown(&solution).contains("base 2"), "{}", shown(&solution));
    }
}

#[test]
fn a_locked_version_that_is_gone_or_does_not_fit_gives_way() {
    let lock = locked(&newest(&index("app 1\nDepends: lib\n\nlib 1"), &wish("app", "")).unwrap());
    let keep = Preferences::keep(&lock, "image");
    let gone = solve(&index("app 1\nDepends: lib\n\nlib 2"), &wish("app", ""), &keep).unwrap();
    assert_eq!(shown(&gone), "app 1 <- @base\nlib 2 <- app\n");
    let index = index("app 1\nDepends: lib\n\nlib 1\n\nlib 2\n\nnew 1\nDepends: lib (>= 2)");
    let solution = solve(&index, &wish("app new", ""), &keep).unwrap();
    assert_eq!(shown(&solution), "app 1 <- @base\nlib 2 <- app\nnew 1 <- @base\n");
}

#[test]
fn a_locked_alternative_stays() {
    let lock = locked(&newest(&index("app 1\nDepends: best | good\n\ngood 1"), &wish("app", "")).unwrap());
    let index = index("app 1\nDepends: best | good\n\ngood 1\n\nbest 1");
    let keep = Preferences::keep(&lock, "image");
    assert_eq!(names(&solve(&index, &wish("app", ""), &keep).unwrap()), "app good");
    assert_eq!(names(&newest(&index, &wish("app", "")).unwrap()), "app best");
}

/// Stanzas of an archive in which much depends, conflicts and provides at random.
fn archives() -> impl Strategy<Value = Vec<String>> {
    let relation = (0..12u8, 0..4u8).prop_map(|(package, version)| match version {
        0 => format!("p{package}"),
        1 => format!("v{}", package % 3),
        version => format!("p{package} (>= {})", version - 1),
    });
    let group = proptest::collection::vec(relation.clone(), 1..3).prop_map(|group| group.join(" | "));
    let stanza = (0..12u8, 1..4u8, proptest::collection::vec(group, 0..3), relation, 0..12u8, 0..6u8);
    let stanza = stanza.prop_map(|(package, version, groups, rival, provided, which)| {
        let mut text = format!("p{package} {version}");
        if !groups.is_empty() {
            text += &format!("\nDepends: {}", groups.join(", "));
        }
        if which == 0 {
            text += &format!("\nConflicts: {rival}");
        }
        if which < 3 {
            text += &format!("\nProvides: v{}", provided % 3);
        }
        text
    });
    proptest::collection::vec(stanza, 1..40).prop_map(|mut stanzas| {
        let head = |s: &String| s.lines().next().map(str::to_owned);
        stanzas.sort();
        stanzas.dedup_by_key(|s| head(s));
        stanzas
    })
}

/// Whether a solution holds what its packages depend on, and nothing that they conflict with.
fn is_consistent(stanzas: &[String], solution: &Solution) -> bool {
    let fields = |p: &geminios_model::LockedPackage, field: &str| -> String {
        let head = format!("{} {}", p.name, p.version);
        let stanza = stanzas.iter().find(|s| s.lines().next() == Some(head.as_str())).unwrap();
        stanza.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default().to_owned()
    };
    let meets = |p: &geminios_model::LockedPackage, relation: &geminios_resolve::Relation| {
        (p.name == relation.name && relation.admits(&p.version.parse().unwrap()))
            || (relation.version.is_none() && fields(p, "Provides: ") == relation.name)
    };
    let relations = |text: &str| geminios_resolve::parse_relations(text, "amd64").unwrap();
    solution.packages.iter().all(|p| {
        let depends = relations(&fields(p, "Depends: "));
        let rivals = relations(&fields(p, "Conflicts: "));
        depends.iter().all(|group| {
            group.iter().any(|relation| solution.packages.iter().any(|other| meets(other, relation)))
        }) && !rivals.iter().flatten().any(|relation| {
            solution.packages.iter().any(|other| other.name != p.name && meets(other, relation))
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn the_order_of_stanzas_and_wishes_does_not_matter(
        (stanzas, shuffled) in archives().prop_flat_map(|s| (Just(s.clone()), Just(s).prop_shuffle())),
    ) {
        let (a, b) = (index(&stanzas.join("\n\n")), index(&shuffled.join("\n\n")));
        let first = stanzas[0].split(' ').next().unwrap();
        let last = stanzas[stanzas.len() - 1].split(' ').next().unwrap();
        let forwards = newest(&a, &wish(&format!("{first} {last}"), ""));
        let backwards = newest(&b, &wish(&format!("{last} {first}"), ""));
        prop_assert_eq!(&forwards, &backwards);
        match forwards {
            Ok(solution) => prop_assert!(is_consistent(&stanzas, &solution), "{}", shown(&solution)),
            Err(conflict) => prop_assert!(!conflict.troubles.is_empty() && !conflict.troubles[0].what.is_empty()),
        }
    }

    #[test]
    fn no_bytes_make_reading_an_index_panic(bytes in "(Package: a\n|Version: 1\n|Depends: [a-z |,(>=)\\[\\]!:<]{0,20}\n|Size: [0-9]{1,30}\n|\n| x\n|.{0,10}\n){0,12}") {
        let _ = Index::new().add("debian", "trixie", bytes.as_bytes());
        let _ = geminios_resolve::parse_relations(&bytes, "amd64");
        let _ = geminios_resolve::parse_release(&bytes);
    }
}
