//! python-tuf, the reference implementation of TUF, reads what is published. It and its script are those of the format's tests.

use geminios_release::Lifetimes;
use geminios_release::keys;
use geminios_update_format::metadata::RoleName;
use geminios_update_format::time;
use serde_json::{Value, json};

use crate::made::{NOW, published};

#[path = "../../../../overlays/updater/format/tests/judge/oracle.rs"]
#[expect(dead_code, reason = "the format's tests use all of it")]
mod oracle;

#[test]
fn python_tuf_accepts_a_repository_before_and_after_a_rotation() {
    let Some(oracle) = oracle::Oracle::new() else { return };
    let scene = published();
    let names = ["edge/pc/1.0.0/release.json", "edge/pc/1.1.0/release.json"];
    std::fs::write(scene.path("root.json"), &scene.root).unwrap();
    let verdicts = || {
        let steps = json!([{"repository": "repo", "now": time::format(NOW), "targets": names}]);
        let scenarios = scene.path("scenarios.json");
        std::fs::write(&scenarios, json!({"it": {"root": "root.json", "steps": steps}}).to_string()).unwrap();
        oracle.verdicts(&scenarios)
    };
    let accepted = |verdicts: &Value| names.iter().all(|name| verdicts["it"][0]["targets"][name].is_string());
    let before = verdicts();
    assert!(accepted(&before), "{before}");
    for role in RoleName::ALL {
        keys::renew(&scene.path("keys"), role).unwrap();
    }
    let all = RoleName::ALL.into_iter().map(|role| (role, None)).collect();
    scene.repository().rotate(&scene.keys(), &all, NOW, &Lifetimes::default()).unwrap();
    let after = verdicts();
    assert!(accepted(&after), "{after}");
    // And it is no yes-man.
    let timestamp = scene.repo().join("metadata/timestamp.json");
    let text = std::fs::read_to_string(&timestamp).unwrap();
    std::fs::write(&timestamp, text.replacen("\"version\":", "\"version\":1", 1)).unwrap();
    assert!(!accepted(&verdicts()));
}
