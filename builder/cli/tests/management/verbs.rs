//! What both verbs show and do.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::agent::Scene;
use crate::certificates::{OPERATORS, Of, VIEWERS};
use crate::site::Site;

const TWO: &str = "--credentials operator";

fn site() -> Option<Site> {
    let site = Site::new()?;
    site.credentials("operator", Of::Client(OPERATORS));
    site.credentials("viewer", Of::Client(VIEWERS));
    Some(site)
}

fn set(site: &Site, change: impl FnOnce(&mut Scene)) {
    change(&mut site.scene.lock().unwrap());
}

#[test]
fn a_site_is_looked_at_and_its_leader_moved() {
    let Some(site) = site() else { return };
    let told = [
        "status A --credentials viewer",
        "status B A --credentials viewer",
        "failover A --credentials operator",
        "status A --credentials viewer",
        "failover A B --credentials operator --quiet",
    ]
    .map(|words| site.told(words));
    // How long it took is this host's.
    let told = told.join("\n").lines().map(untimed).collect::<Vec<_>>().join("\n");
    assert_snapshot!("site", told);
}

fn untimed(line: &str) -> String {
    match line.split_once(" ms after it was asked for").and_then(|(start, _)| start.rsplit_once(' ')) {
        Some((start, _)) => format!("{start} … ms after it was asked for"),
        None => line.to_owned(),
    }
}

#[test]
fn a_site_that_is_not_whole() {
    let Some(mut site) = site() else { return };
    let mut told = Vec::new();
    set(&site, |scene| scene.roles = ["leader-alone", "standby-behind"]);
    told.push(site.told(&format!("status A {TWO}")));
    told.push(site.told(&format!("failover B {TWO}")));
    set(&site, |scene| scene.roles = ["leader-not-serving", "standby"]);
    told.push(site.told(&format!("status A {TWO}")));
    told.push(site.told(&format!("failover A {TWO}")));
    set(&site, |scene| scene.roles = ["leader", "standby"]);
    set(&site, |scene| scene.changes = json!([]));
    set(&site, |scene| scene.refusal = Some("something is being decided on; try again in a moment"));
    told.push(site.told(&format!("failover A {TWO}")));
    site.stop(1);
    told.push(site.told(&format!("status A {TWO}")));
    told.push(site.told(&format!("failover A {TWO}")));
    told.push(site.told(&format!("status B {TWO}")));
    told.push(site.told(&format!("status B A {TWO}")));
    std::fs::remove_file(site.path("a/agent")).unwrap();
    told.push(site.told(&format!("status A {TWO}")));
    assert_snapshot!("not_whole", told.join("\n"));
}

#[test]
fn what_scripts_read() {
    let Some(site) = site() else { return };
    let json_of = |words: &str| -> Value {
        let told = site.told(&format!("{words} --quiet --format json"));
        serde_json::from_str(&told[told.find('{').unwrap()..]).unwrap()
    };
    let status = json_of(&format!("status A {TWO}"));
    assert_eq!(status["faults"], json!([]));
    let first = json!({
        "node": "node-a", "address": "A", "role": "leader", "epoch": 7, "serves": true, "since_milliseconds": 300_000,
        "lag_bytes": 0, "decides": "witness", "error": null
    });
    assert_eq!(status["nodes"][0], first);
    assert_eq!(
        (&status["nodes"][1]["role"], &status["nodes"][1]["lag_bytes"]),
        (&json!("standby"), &json!(16_384))
    );
    assert_eq!(status["last_change"]["phases"][1], json!({ "name": "decided", "milliseconds": 1041 }));
    let done = json_of(&format!("failover B {TWO}"));
    assert_eq!((&done["from"], &done["to"], &done["epoch"]), (&json!("node-a"), &json!("node-b"), &json!(8)));
    assert!(done["milliseconds"].as_u64().unwrap() < 30_000, "{done}");
}
