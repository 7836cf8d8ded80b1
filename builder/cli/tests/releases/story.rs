//! From the first keys to a bundle, as one person does it.

use std::fs;

use insta::assert_snapshot;

use crate::made::{Desk, tree};

#[test]
fn two_releases_from_keys_to_a_stick() {
    let desk = Desk::new();
    desk.two_builds();
    fs::write(desk.path("notes.md"), "Faster.\n").unwrap();
    let told = [
        "keys init keys",
        "publish build-1.0.0 --repo repo --keys keys --channel beta",
        "publish build-1.1.0 --repo repo --keys keys --channel beta --channel stable --notes notes.md --from 1.0.0",
        "publish build-1.1.0 --repo repo --keys keys --channel stable",
        "verify repo --root keys/1.root.json",
        "bundle repo -o stick.tar",
        "verify stick.tar",
        "publish --refresh --repo repo --keys keys --clock 2026-12-20T12:00:00Z",
    ]
    .map(|words| desk.told(words));
    assert_snapshot!("story", told.join("\n"));
}

#[test]
fn keys_are_replaced_one_role_at_a_time_and_a_cut_rotation_goes_on() {
    let desk = Desk::published();
    let mut told = vec![
        desk.told("keys list keys"),
        desk.told("keys rotate keys --role timestamp --repo repo"),
        desk.told("verify repo --root keys/1.root.json"),
    ];
    // Made and not yet in the repository: the same command puts them there, and makes no others.
    told.push(desk.told("keys rotate keys --role snapshot"));
    told.push(desk.told("keys rotate keys --role snapshot --repo repo"));
    told.push(desk.told("keys rotate keys --repo repo"));
    assert_snapshot!("rotation", told.join("\n"));
    assert!(!desk.path("keys/snapshot-3.pem").exists());
    desk.done("verify repo --root keys/1.root.json");
}

#[test]
fn keys_and_thresholds_as_asked_for() {
    let desk = Desk::new();
    assert_snapshot!(
        "thresholds",
        desk.told("keys init keys --keys root=3 --threshold root=2 --keys targets=2 --days 365")
    );
    let root = fs::read_to_string(desk.path("keys/1.root.json")).unwrap();
    assert!(root.contains(r#""expires":"2027-11-27T12:00:00Z""#), "{root}");
    // One of three keys of the root is lost, and rotation still works.
    desk.two_builds();
    desk.done("publish build-1.0.0 --repo repo --keys keys");
    fs::remove_file(desk.path("keys/root-2.pem")).unwrap();
    desk.done("keys rotate keys --role timestamp --repo repo");
    desk.done("verify repo --root keys/1.root.json");
}

/// Who signs often need not have the keys of who releases.
#[test]
fn keys_may_lie_in_several_folders() {
    let desk = Desk::published();
    fs::create_dir(desk.path("online")).unwrap();
    for role in ["snapshot", "timestamp"] {
        let name = format!("{role}-1.pem");
        fs::rename(desk.path("keys").join(&name), desk.path("online").join(&name)).unwrap();
    }
    desk.done("publish --refresh --repo repo --keys online");
    desk.build("1.2.0", &crate::made::content(5, 40 << 12));
    assert!(desk.refused("publish build-1.2.0 --repo repo --keys keys").contains("role snapshot"));
    desk.done("publish build-1.2.0 --repo repo --keys keys --keys online --level 1");
    let late = desk.told("publish --refresh --repo repo --keys online --clock 2027-11-20T12:00:00Z");
    assert_snapshot!("refresh_without_all_keys", late);
}

#[test]
fn what_is_printed_as_json_has_the_table() {
    let desk = Desk::new();
    desk.done("keys init keys");
    desk.two_builds();
    desk.done("publish build-1.0.0 --repo repo --keys keys --level 1");
    let printed = desk.done("publish build-1.1.0 --repo repo --keys keys --level 1 --format json");
    let value: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(value["release"], "edge/pc/1.1.0/release.json");
    let rows = value["rows"].as_array().unwrap();
    assert_eq!((rows.len(), rows[1]["from"].as_str()), (2, Some("1.0.0")));
    let bytes = |row: usize, way: &str| rows[row][way].as_u64().unwrap();
    assert!(bytes(1, "delta") * 4 < bytes(1, "whole") && bytes(1, "best") <= bytes(1, "delta"));

    let printed = desk.done("verify repo --format json");
    let value: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((value["trusted"].as_bool(), value["findings"].as_array().unwrap().len()), (Some(false), 0));
    assert_eq!(value["releases"].as_array().unwrap().len(), 2);
}

/// What a device is told of the data: from the manifest, and from the command line.
#[test]
fn the_data_contract_is_that_of_the_build() {
    let desk = Desk::new();
    desk.done("keys init keys");
    desk.two_builds();
    desk.edit_manifest("build-1.1.0", |manifest| drop(manifest.as_object_mut().unwrap().remove("data")));
    desk.done(
        "publish build-1.0.0 --repo repo --keys keys --level 1 --converts 16 --converts 15 --from 0.9.0",
    );
    desk.done("publish build-1.1.0 --repo repo --keys keys --level 1");
    let data = |version: &str| {
        let files = tree(&desk.path("repo"));
        let name =
            files.keys().find(|name| name.starts_with(&format!("targets/edge/pc/{version}/"))).unwrap();
        serde_json::from_slice::<serde_json::Value>(&files[name]).unwrap()["data"].to_string()
    };
    assert_eq!(
        data("1.0.0"),
        r#"{"from":"0.9.0","kine_schema":1,"kubernetes_minor":34,"postgresql":17,"postgresql_converts":[15,16]}"#
    );
    assert_eq!(
        data("1.1.0"),
        r#"{"kine_schema":0,"kubernetes_minor":0,"postgresql":0,"postgresql_converts":[]}"#
    );
}

#[test]
fn help_teaches() {
    let desk = Desk::new();
    let verbs = ["keys", "keys init", "keys rotate", "publish", "bundle", "verify", "serve"];
    let told = verbs.map(|verb| {
        let help = desk.told(&format!("{verb} --help"));
        // What all verbs have is not of these.
        help.split("\nOptions of all verbs:").next().unwrap().to_owned()
    });
    assert_snapshot!("help", told.join("\n"));
}
