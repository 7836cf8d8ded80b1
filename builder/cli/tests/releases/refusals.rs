//! What is refused, with the words that a person reads.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use insta::assert_snapshot;
use serde_json::json;

use crate::made::{Desk, content, tree};

/// Runs commands that must be refused and change nothing in the repository; what was said.
fn refused(desk: &Desk, cases: &[&str]) -> String {
    let repository =
        || if desk.path("repo").exists() { tree(&desk.path("repo")) } else { Default::default() };
    let before = repository();
    let mut told = Vec::new();
    for words in cases {
        let said = desk.told(words);
        assert!(said.ends_with("status 1\n") || said.ends_with("status 2\n"), "{said}");
        told.push(said);
        assert!(repository() == before, "{words} changed the repository");
    }
    told.join("\n")
}

#[test]
fn keys() {
    let desk = Desk::new();
    desk.done("keys init keys");
    desk.two_builds();
    let mut told = vec![refused(
        &desk,
        &[
            "keys init keys",
            "keys init other --threshold root=2",
            "keys init other --keys leaf=2",
            "keys init other --keys root=0",
            "keys init other --clock yesterday",
            "keys list nothing",
            "keys rotate keys",
            "keys rotate keys --repo nothing",
            "publish build-1.0.0 --repo repo --keys nothing",
        ],
    )];
    let key = desk.path("keys/targets-1.pem");
    let good = fs::read(&key).unwrap();
    let publish = "publish build-1.0.0 --repo repo --keys keys";
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    told.push(refused(&desk, &[publish]));
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    told.push(refused(&desk, &[publish]));
    fs::remove_file(&key).unwrap();
    std::os::unix::fs::symlink("/nowhere", &key).unwrap();
    told.push(refused(&desk, &[publish]));
    fs::remove_file(&key).unwrap();
    fs::write(desk.path("keys/targets-vault.toml"), "public = \"00\"\ncommand = []\n").unwrap();
    told.push(refused(&desk, &[publish]));
    fs::remove_file(desk.path("keys/targets-vault.toml")).unwrap();
    fs::write(desk.path("keys/nobody.pem"), good).unwrap();
    told.push(refused(&desk, &[publish]));
    assert_snapshot!("refused_keys", told.join("\n"));
}

#[test]
fn too_few_keys() {
    let desk = Desk::new();
    desk.done("keys init keys --keys targets=2");
    desk.two_builds();
    desk.done("publish build-1.0.0 --repo repo --keys keys --level 1");
    fs::remove_file(desk.path("keys/targets-1.pem")).unwrap();
    desk.done("keys init others");
    let told = refused(
        &desk,
        &[
            "publish build-1.1.0 --repo repo --keys keys",
            "publish build-1.1.0 --repo repo --keys others",
            "publish --refresh --repo repo --keys others",
            "keys rotate others --role timestamp --repo repo",
        ],
    );
    assert_snapshot!("refused_too_few", told);
}

#[test]
fn versions() {
    let desk = Desk::published();
    let root = content(9, 40 << 12);
    desk.build("1.0.1", &root);
    let older = refused(&desk, &["publish build-1.0.1 --repo repo --keys keys"]);
    desk.done("publish build-1.0.1 --repo repo --keys keys --older --level 1");
    // To a channel that has nothing newer it needs no word.
    desk.build("1.0.2", &root);
    desk.done("publish build-1.0.2 --repo repo --keys keys --channel lts --level 1");
    let build = desk.path("build-1.1.0");
    fs::rename(&build, desk.path("build")).unwrap();
    desk.build("1.1.0", &root);
    let same = refused(&desk, &["publish build-1.1.0 --repo repo --keys keys"]);
    desk.edit_manifest("build", |manifest| manifest["version"] = json!("november"));
    let none = refused(&desk, &["publish build --repo repo --keys keys"]);
    desk.edit_manifest("build", |manifest| manifest["version"] = json!("2.0.0+x"));
    let build = refused(&desk, &["publish build --repo repo --keys keys"]);
    desk.edit_manifest("build", |manifest| manifest["version"] = json!("2.0.0~rc1"));
    desk.done("publish build --repo repo --keys keys --level 1");
    assert!(desk.done("verify repo").contains("edge/pc/2.0.0-rc1"));
    assert_snapshot!("refused_versions", [older, same, none, build].join("\n"));
}

#[test]
fn builds_that_are_not_what_their_manifest_says() {
    let desk = Desk::published();
    let told = |name: &str, spoil: &dyn Fn(&Desk)| {
        desk.build("1.2.0", &content(5, 40 << 12));
        spoil(&desk);
        format!("# {name}\n{}", refused(&desk, &["publish build-1.2.0 --repo repo --keys keys --level 1"]))
    };
    let flip = |desk: &Desk, file: &str, at: u64| {
        let file = fs::File::options().read(true).write(true).open(desk.path(file)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    };
    let image = "build-1.2.0/edge-1.2.0-pc.img";
    // ESP of 34 MiB after the first MiB, then the root in 4 MiB, then its tree.
    let all = [
        told("a bit of the root", &|desk| flip(desk, image, (35 << 20) + 5000)),
        told("a bit of the tree", &|desk| flip(desk, image, (39 << 20) + 5000)),
        told("a bit of the kernel", &|desk| flip(desk, "build-1.2.0/edge-1.2.0-pc.efi", 7)),
        told("a bit of the SBOM", &|desk| flip(desk, "build-1.2.0/edge-1.2.0-pc.cdx.json", 7)),
        told("another root hash", &|desk| {
            desk.edit_manifest("build-1.2.0", |manifest| {
                let hash = manifest["root_hash"].as_str().unwrap().to_owned();
                let digit = if hash.starts_with('0') { "1" } else { "0" };
                manifest["root_hash"] = json!(format!("{digit}{}", &hash[1..]));
            });
        }),
        told("a shorter image", &|desk| {
            fs::File::options().write(true).open(desk.path(image)).unwrap().set_len(20 << 20).unwrap();
        }),
        told("no image", &|desk| fs::remove_file(desk.path(image)).unwrap()),
        told("no kernel", &|desk| fs::remove_file(desk.path("build-1.2.0/edge-1.2.0-pc.efi")).unwrap()),
        told("no manifest", &|desk| fs::remove_file(desk.path("build-1.2.0/manifest.json")).unwrap()),
    ];
    assert_snapshot!("refused_builds", all.join("\n"));
}

#[test]
fn what_is_asked_wrongly() {
    let desk = Desk::published();
    desk.build("1.2.0", &content(5, 40 << 12));
    fs::write(desk.path("empty"), "").unwrap();
    let long = fs::File::create(desk.path("long")).unwrap();
    long.set_len((16 << 20) + 1).unwrap();
    fs::create_dir(desk.path("folder")).unwrap();
    let cases = [
        "publish build-1.2.0 --repo repo --keys keys --channel Stable",
        "publish build-1.2.0 --repo repo --keys keys --notes empty",
        "publish build-1.2.0 --repo repo --keys keys --notes long",
        "publish build-1.2.0 --repo repo --keys keys --notes nothing",
        "publish build-1.2.0 --repo repo --keys keys --converts 17",
        "publish build-1.2.0 --repo repo --keys keys --from next",
        "publish build-1.2.0 --repo repo --keys keys --level 23",
        "publish --repo repo --keys keys",
        "publish --refresh --repo folder --keys keys",
        "bundle repo -o stick.tar --version 9.9.9",
        "bundle folder -o stick.tar",
        "bundle repo -o nothing/stick.tar",
        "verify nothing",
        "verify folder",
        "verify notes.md",
        "verify build-1.2.0/manifest.json",
        "verify repo --root nothing",
        "verify repo --root build-1.2.0/manifest.json",
        "verify repo --clock 2027-11-27T12:00:00Z",
    ];
    assert_snapshot!("refused_words", refused(&desk, &cases));
    assert!(!desk.path("stick.tar").exists());
}

#[test]
fn a_bundle_of_one_among_several() {
    let desk = Desk::published();
    desk.edit_manifest("build-1.0.0", |manifest| manifest["board"] = json!("rpi"));
    desk.done("publish build-1.0.0 --repo repo --keys keys --level 1");
    assert_snapshot!("refused_bundle", refused(&desk, &["bundle repo -o stick.tar"]));
    desk.done("bundle repo -o stick.tar --board rpi");
    assert!(desk.done("verify stick.tar").contains("edge/rpi/1.0.0"));
}
