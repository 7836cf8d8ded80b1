//! Publishing, bundling and looking at the result.

use std::fs;

use geminios_model::Silent;
use geminios_release::bundle::{self, Wanted};
use geminios_release::verify::{Source, verify};
use geminios_release::{Lifetimes, ReleaseError, Repository};
use geminios_update_format::metadata::RoleName;
use geminios_update_format::time::DAY;
use semver::Version;

use crate::made::{NOW, Scene, changed, content, published, tree, two};

#[test]
fn two_releases_are_whole_and_the_second_is_small_from_the_first() {
    let scene = Scene::new();
    let [first, second] = two(&scene);
    let one = scene.publish(&first);
    assert_eq!((one.timestamp, one.table.rows.len()), (Some(1), 1));
    let two = scene.publish(&second);
    let [nothing, from_first] = &two.table.rows[..] else { panic!("{:?}", two.table) };
    assert_eq!((nothing.from.as_ref(), nothing.delta), (None, None));
    assert_eq!(from_first.from, Some(Version::new(1, 0, 0)));
    let delta = from_first.delta.unwrap();
    assert!(delta * 4 < nothing.whole && from_first.chunks < nothing.whole, "{:?}", two.table);
    assert!(from_first.best <= delta && nothing.best <= nothing.whole);

    let report = scene.verify(&scene.repo());
    assert_eq!((report.findings, report.deltas_not_unpacked), (vec![], 0));
    assert_eq!(report.releases, ["edge/pc/1.0.0/release.json", "edge/pc/1.1.0/release.json"]);
}

#[test]
fn publishing_twice_changes_nothing_and_another_channel_only_the_list() {
    let scene = Scene::new();
    let [first, _] = two(&scene);
    scene.publish(&first);
    let before = tree(&scene.repo());
    assert_eq!(scene.publish(&first).timestamp, None);
    assert_eq!(tree(&scene.repo()), before);

    let promoted = scene.publish_to(&scene.repository(), &first, "edge").unwrap();
    assert_eq!(promoted.timestamp, Some(2));
    let after = tree(&scene.repo());
    let new: Vec<&String> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    assert_eq!(new, ["metadata/2.snapshot.json", "metadata/2.targets.json"]);
    let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed, ["metadata/timestamp.json"]);
    assert!(
        String::from_utf8_lossy(&after["metadata/2.targets.json"])
            .contains(r#""channels":["edge","stable"]"#)
    );
    assert_eq!(scene.verify(&scene.repo()).findings, vec![]);
}

/// From a clean start in another folder, and so with other times of files and temporary names.
#[test]
fn the_same_builds_make_the_same_repository() {
    let scene = published();
    let again = scene.path("again");
    for build in two(&scene) {
        let repository = Repository::create(&again, &scene.root).unwrap();
        scene.publish_to(&repository, &build, "stable").unwrap();
    }
    assert!(tree(&scene.repo()) == tree(&again));
}

#[test]
fn what_must_not_be_published_is_refused() {
    let scene = Scene::new();
    let [first, _] = two(&scene);
    scene.publish(&first);
    let repository = scene.repository();
    let before = tree(&scene.repo());

    let other = scene.build("1.0.0", &content(3, 1 << 20));
    let error = scene.publish_to(&repository, &other, "stable").unwrap_err();
    assert!(matches!(error, ReleaseError::Released { what: "root", .. }), "{error}");

    let mut wrong = scene.build("1.2.0", &content(4, 1 << 20));
    wrong.root.offset -= 1;
    let error = scene.publish_to(&repository, &wrong, "stable").unwrap_err().to_string();
    assert!(error.starts_with("root (") && error.contains("SHA-256"), "{error}");

    let mut wrong = scene.build("1.2.0", &content(4, 1 << 20));
    wrong.root_hash.0[0] ^= 1;
    let error = scene.publish_to(&repository, &wrong, "stable").unwrap_err().to_string();
    assert!(error.starts_with("verity of the build"), "{error}");

    for channel in ["", "A", "../x", "a b"] {
        let error = scene.publish_to(&repository, &first, channel).unwrap_err();
        assert!(matches!(error, ReleaseError::Channel(_)), "{error}");
    }
    let error = Repository::open(&scene.path("nowhere")).err().unwrap();
    assert!(matches!(error, ReleaseError::NoRepository(_)), "{error}");
    assert_eq!(tree(&scene.repo()), before);
}

#[test]
fn two_publishers_exclude_each_other() {
    let scene = Scene::new();
    let [first, _] = two(&scene);
    let repository = scene.repository();
    let lock = fs::File::options().append(true).open(scene.repo().join(".lock")).unwrap();
    lock.lock().unwrap();
    let error = scene.publish_to(&repository, &first, "stable").unwrap_err();
    assert!(matches!(error, ReleaseError::Busy(_)), "{error}");
    drop(lock);
    scene.publish_to(&repository, &first, "stable").unwrap();
}

#[test]
fn a_refreshed_timestamp_lives_on() {
    let scene = published();
    let late = NOW + 40 * DAY;
    let expired = verify(&scene.repo(), None, late, &Silent);
    assert!(expired.findings[0].problem.contains("expired"), "{expired:?}");
    let refreshed = scene.repository().refresh(&scene.keys(), late - DAY, &Lifetimes::default()).unwrap();
    assert_eq!((refreshed.signed, refreshed.left), (vec![RoleName::Timestamp], vec![]));
    assert_eq!(verify(&scene.repo(), None, late, &Silent).findings, vec![]);
}

/// What would expire before the new timestamp is signed with it, or named if its keys are elsewhere.
#[test]
fn a_timestamp_does_not_promise_more_than_what_it_names() {
    let scene = published();
    let late = NOW + 350 * DAY;
    let refresh = || scene.repository().refresh(&scene.keys(), late, &Lifetimes::default()).unwrap();
    fs::rename(scene.path("keys/targets-1.pem"), scene.path("targets-1.pem")).unwrap();
    let refreshed = refresh();
    assert_eq!(refreshed.signed, [RoleName::Snapshot, RoleName::Timestamp]);
    assert_eq!(refreshed.left, [(RoleName::Targets, NOW + 365 * DAY)]);
    fs::rename(scene.path("targets-1.pem"), scene.path("keys/targets-1.pem")).unwrap();
    let refreshed = refresh();
    assert_eq!((refreshed.signed.len(), refreshed.left), (3, vec![]));
    assert_eq!(verify(&scene.repo(), None, late + 29 * DAY, &Silent).findings, vec![]);
}

#[test]
fn a_bundle_has_what_one_version_needs_in_order_and_is_the_same_each_time() {
    let scene = published();
    let (old, new) = (Version::new(1, 0, 0), Version::new(1, 1, 0));
    let make = |deltas: &[Version]| {
        let mut bytes = Vec::new();
        let wanted = Wanted { profile: "edge", board: "pc", version: &new, deltas };
        let length = bundle::write(&scene.repository(), &wanted, &mut bytes).unwrap();
        assert_eq!(length, bytes.len() as u64);
        let members = bundle::members(&scene.repository(), &wanted).unwrap();
        (bytes, members)
    };
    let (plain, members) = make(&[]);
    assert!(plain == make(&[]).0);
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let first = [
        "metadata/timestamp.json",
        "metadata/1.root.json",
        "metadata/2.snapshot.json",
        "metadata/2.targets.json",
    ];
    assert_eq!(names[..4], first);
    assert!(
        names[4].starts_with("targets/edge/pc/1.1.0/")
            && names[5..].iter().all(|name| name.starts_with("blobs/"))
    );

    let path = scene.path("update.tar");
    fs::write(&path, &plain).unwrap();
    let report = scene.verify(&path);
    assert_eq!((report.findings, report.releases), (vec![], vec!["edge/pc/1.1.0/release.json".to_owned()]));
    // As whoever has only tar would see it.
    let listed = std::process::Command::new("tar").arg("tf").arg(&path).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().collect::<Vec<_>>(), names);

    let (with_delta, _) = make(&[old]);
    assert!(with_delta.len() > plain.len());
    fs::write(&path, &with_delta).unwrap();
    let report = scene.verify(&path);
    // The older release is not in the bundle.
    assert_eq!((report.findings, report.deltas_not_unpacked), (vec![], 3));
    assert!(Source::open(&path).unwrap().is_bundle());
}

/// Only deltas from so many releases; a device that is further behind takes another way.
#[test]
fn deltas_are_from_the_last_releases_only() {
    let scene = Scene::new();
    let mut root = content(1, 1 << 20);
    for version in ["1.0.0", "1.1.0", "1.2.0", "1.3.0"] {
        scene.publish(&scene.build(version, &root));
        root = changed(&root);
    }
    let last = scene.publish(&scene.build("1.4.0", &root));
    let with: Vec<String> = last
        .table
        .rows
        .iter()
        .filter(|row| row.delta.is_some())
        .map(|row| row.from.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(with, ["1.3.0", "1.2.0"]);
    assert_eq!(scene.verify(&scene.repo()).findings, vec![]);
}

/// A release that goes through `beta` is small for the devices of `stable`, however many betas there were.
#[test]
fn deltas_are_also_from_the_newest_of_other_channels() {
    let scene = Scene::with_keys(1);
    let mut root = content(1, 200 << 12);
    let releases = [
        ("0.9.0", "stable"),
        ("1.0.0", "stable"),
        ("1.1.0-b.1", "beta"),
        ("1.1.0-b.2", "beta"),
        ("1.1.0-b.3", "beta"),
    ];
    for (version, channel) in releases {
        scene.publish_to(&scene.repository(), &scene.build(version, &root), channel).unwrap();
        root = changed(&root);
    }
    let last = scene.publish_to(&scene.repository(), &scene.build("1.1.0", &root), "beta").unwrap();
    let rows = last.table.rows.iter().filter(|row| row.delta.is_some());
    let from: Vec<String> = rows.map(|row| row.from.as_ref().unwrap().to_string()).collect();
    assert_eq!(from, ["1.1.0-b.3", "1.1.0-b.2", "1.0.0"]);
}
