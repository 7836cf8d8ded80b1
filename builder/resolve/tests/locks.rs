//! From solutions to a lock, and from lock to lock.
#![allow(clippy::unwrap_used)]

mod archive;

use archive::{index, newest, wish};
use geminios_model::{
    ArchiveState, BlobKind, Digest, ImageWish, Located, Lock, LockedBlob, LockedImage, LockedScript,
    ScriptKind, Source,
};
use geminios_resolve::{ScriptInfo, Solution, Wish, assemble, diff, why, wishes_digest};

fn scripts(solutions: &[Solution]) -> ScriptInfo {
    let packages = solutions.iter().flat_map(|solution| &solution.packages);
    packages.map(|p| (p.sha256, Vec::new())).collect()
}

fn state(suite: &str, date: u64) -> ArchiveState {
    ArchiveState { archive: "debian".into(), suite: suite.into(), date, release: Digest::of(suite) }
}

fn lock(stanzas: &str, wishes: &[Wish]) -> Lock {
    let index = index(stanzas);
    let solutions: Vec<Solution> = wishes.iter().map(|wish| newest(&index, wish).unwrap()).collect();
    let archives = vec![state("trixie-updates", 7), state("trixie", 5)];
    assemble("x86-edge", wishes_digest(&[], wishes, &[]), archives, &solutions, &scripts(&solutions)).unwrap()
}

fn named(set: &str, wanted: &str) -> Wish {
    Wish { set: set.into(), packages: vec![(wanted.into(), format!("@{set}"))], ..wish("", "") }
}

const STANZAS: &str = "app 1\nDepends: lib\n\nlib 1\nDepends: libc\n\nlibc 2\n\ntool 1\nDepends: libc\nSource: tools (1.1-1)\n\nold 1";

#[test]
fn sets_share_stanzas_and_the_lock_reads_back() {
    let lock = lock(STANZAS, &[named("image", "app"), named("build", "tool")]);
    assert_eq!(lock.source_date_epoch, 7);
    assert_eq!(lock.archives[0].suite, "trixie");
    let text = lock.to_text();
    assert!(text.contains("\nFor: build=tool image=lib\n"), "{text}");
    assert!(text.contains("\nSource: tools 1.1-1\n"), "{text}");
    assert_eq!(Lock::parse(&Source::new("x86-edge.lock", text)).unwrap(), lock);
}

#[test]
fn scripts_are_recorded_and_must_be_known() {
    let solutions = [newest(&index("app 1"), &wish("app", "")).unwrap()];
    let script = |kind| LockedScript { kind, sha256: Digest::of("script"), written: None };
    let known: ScriptInfo =
        [(solutions[0].packages[0].sha256, vec![script(ScriptKind::Prerm), script(ScriptKind::Postinst)])]
            .into();
    let lock = assemble("x", Digest::of(""), Vec::new(), &solutions, &known).unwrap();
    assert_eq!(lock.packages[0].scripts, [script(ScriptKind::Postinst), script(ScriptKind::Prerm)]);
    let error = assemble("x", Digest::of(""), Vec::new(), &solutions, &ScriptInfo::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the maintainer scripts of app 1 were not looked at; fetch pool/app_1_amd64.deb first"
    );
}

#[test]
fn a_package_with_two_contents_is_refused() {
    let first = newest(&index("app 1"), &wish("app", "")).unwrap();
    let mut second = first.clone();
    second.packages[0].sha256 = Digest::of("other");
    let solutions = [first, second];
    let error = assemble("x", Digest::of(""), Vec::new(), &solutions, &scripts(&solutions)).unwrap_err();
    assert!(error.to_string().starts_with("app 1 has two contents"), "{error}");
}

#[test]
fn a_lock_says_why_a_package_is_there() {
    let mut lock = lock(STANZAS, &[named("image", "app"), named("build", "tool")]);
    assert_eq!(why(&lock, "image", "libc"), ["libc", "lib", "app", "@image"]);
    assert_eq!(why(&lock, "build", "libc"), ["libc", "tool", "@build"]);
    assert_eq!(why(&lock, "image", "tool"), [""; 0]);
    // A lock edited by hand must not hang the reader.
    for package in lock.packages.iter_mut().filter(|p| p.name == "app") {
        package.sets.insert("image".into(), "libc".into());
    }
    assert_eq!(why(&lock, "image", "libc"), ["libc", "lib", "app"]);
}

#[test]
fn changes_are_shown_like_a_package_manager_does() {
    let old = lock(STANZAS, &[named("image", "app"), named("build", "tool")]);
    let new = "app 1.1~rc1\nDepends: lib, extra\n\nextra 1\n\nlib 1\n\ntool 1\nDepends: libc\nSource: tools (1.1-1)\n\nlibc 1.9";
    let mut new = lock(new, &[named("image", "app"), named("build", "tool")]);
    for package in new.packages.iter_mut().filter(|p| p.name == "extra") {
        package.size = 2_345_678;
    }
    let changes = diff(&old, &new);
    assert_eq!(
        changes.to_string(),
        "\
build: 1 downgraded
  v libc  2 -> 1.9       +0 B
image: 1 added, 1 removed, 1 upgraded
  + extra  1               +2.3 MB  for app
  - libc   2                 -1 kB
  ^ app    1 -> 1.1~rc1       +0 B
Download: 2.3 MB, in all +2.3 MB."
    );
    assert_eq!((changes.download, changes.size_delta), (2_347_678, 2_345_678));
    assert!(diff(&new, &new).is_empty());
    assert_eq!(diff(&new, &new).to_string(), "Nothing changes.");
}

#[test]
fn other_bytes_under_the_same_version_are_a_change() {
    let old = lock("app 1", &[named("image", "app")]);
    let mut new = old.clone();
    new.packages[0].sha256 = Digest::of("rebuilt");
    assert_eq!(
        diff(&old, &new).to_string(),
        "image: 1 replaced\n  ~ app  1       +0 B\nDownload: 1 kB, in all +0 B."
    );
}

#[test]
fn the_digest_of_wishes_changes_with_what_is_asked_for_only() {
    let base = wish("app lib", "perl");
    let digest = |wish: &Wish| wishes_digest(&[], std::slice::from_ref(wish), &[]);
    let same = [
        Wish { packages: base.packages.iter().rev().cloned().collect(), ..base.clone() },
        Wish { without: [("perl".to_owned(), "another reason".to_owned())].into(), ..base.clone() },
    ];
    for wish in &same {
        assert_eq!(digest(wish), digest(&base));
    }
    let other = [
        wish("app", "perl"),
        wish("app lib", ""),
        wish("app lib more", "perl"),
        Wish { essential: true, ..base.clone() },
        Wish { set: "build".into(), ..base.clone() },
        Wish { arch: geminios_model::Arch::Arm64, ..base.clone() },
    ];
    for wish in &other {
        assert_ne!(digest(wish), digest(&base), "{wish:?}");
    }
}

#[test]
fn container_images_are_changes_too() {
    let image = |tag: &str, digest: &str| {
        let (sha256, kind) = (Digest::of(digest), BlobKind::Manifest);
        LockedImage {
            reference: format!("registry.example/app:{tag}").parse().unwrap(),
            digest: sha256,
            architecture: geminios_model::Arch::Amd64,
            blobs: vec![LockedBlob { kind, sha256, size: 3_000_000 }],
        }
    };
    let old =
        Lock { images: vec![image("1", "a"), image("2", "b")], ..lock("app 1", &[named("image", "app")]) };
    let new = Lock { images: vec![image("2", "c"), image("3", "a")], ..old.clone() };
    assert_eq!(
        diff(&old, &new).to_string(),
        "\
container images: 1 added, 1 removed, 1 replaced
  + registry.example/app:3  sha256:ca978112ca1b                           +3.0 MB
  - registry.example/app:1  sha256:ca978112ca1b                           -3.0 MB
  ~ registry.example/app:2  sha256:3e23e8160039 -> sha256:2e7d2c03a950       +0 B
Download: 3.0 MB, in all +0 B."
    );
    assert!(diff(&old, &old).is_empty());
}

#[test]
fn the_digest_of_wishes_knows_images_by_name_and_digest() {
    let digest = |images: &[ImageWish]| wishes_digest(&[], &[], images);
    let image = |tag: &str, hex: char| ImageWish {
        reference: Located::nowhere(format!("registry.example/app:{tag}").parse().unwrap()),
        digest: Some(Located::nowhere(format!("sha256:{}", hex.to_string().repeat(64)))),
        archive: None,
    };
    let (one, two) = (image("1", 'a'), image("2", 'b'));
    let base = digest(&[one.clone(), two.clone()]);
    assert_eq!(digest(&[two.clone(), one.clone()]), base);
    let from = ImageWish { archive: Some(Located::nowhere("app.tar".into())), ..one.clone() };
    assert_eq!(digest(&[from, two.clone()]), base);
    for other in [vec![], vec![one.clone()], vec![one.clone(), image("2", 'c')], vec![one, image("3", 'b')]] {
        assert_ne!(digest(&other), base);
    }
}
