//! python-tuf, the reference implementation of TUF, reads what the command published. Its script is that of the format's tests.

use serde_json::{Value, json};

use crate::made::{Desk, NOW};

#[path = "../../../../overlays/updater/format/tests/judge/oracle.rs"]
#[expect(dead_code, reason = "the format's tests use all of it")]
mod oracle;

/// Which of the targets a client of this first root gets.
fn taken(oracle: &oracle::Oracle, desk: &Desk, root: &str, targets: &[&str]) -> Vec<bool> {
    // A target that is not there ends its scenario: one each.
    let scenario_of = |name: &&str| {
        let steps = json!([{"repository": "repo", "now": NOW, "targets": [name]}]);
        ((*name).to_owned(), json!({"root": root, "steps": steps}))
    };
    let scenarios: serde_json::Map<String, Value> = targets.iter().map(scenario_of).collect();
    let path = desk.path("scenarios.json");
    std::fs::write(&path, Value::from(scenarios).to_string()).unwrap();
    let verdicts = oracle.verdicts(&path);
    targets.iter().map(|name| verdicts[*name][0]["targets"][*name].is_string()).collect()
}

#[test]
fn python_tuf_takes_what_was_published_through_refresh_and_rotation() {
    let Some(oracle) = oracle::Oracle::new() else { return };
    let desk = Desk::published();
    std::fs::copy(desk.path("keys/1.root.json"), desk.path("root.json")).unwrap();
    let targets = ["edge/pc/1.0.0/release.json", "edge/pc/1.1.0/release.json", "edge/pc/1.2.0/release.json"];
    let taken = |root: &str| taken(&oracle, &desk, root, &targets);
    assert_eq!(taken("root.json"), [true, true, false]);
    desk.done("publish --refresh --repo repo --keys keys");
    assert_eq!(taken("root.json"), [true, true, false]);
    desk.done("keys rotate keys --role root --role targets --role timestamp --repo repo --threshold root=1");
    assert_eq!(taken("root.json"), [true, true, false]);
    desk.build("1.2.0", &crate::made::content(5, 40 << 12));
    desk.done("publish build-1.2.0 --repo repo --keys keys --level 1");
    assert_eq!(taken("root.json"), [true; 3]);
    // Another first root, and a damaged file.
    desk.done("keys init others");
    std::fs::copy(desk.path("others/1.root.json"), desk.path("other.json")).unwrap();
    assert_eq!(taken("other.json"), [false; 3]);
    let file = |version: u32| desk.path(&format!("repo/metadata/{version}.targets.json"));
    let path = file((1..).take_while(|&version| file(version).exists()).last().unwrap());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("1.2.0", "1.2.1", 1)).unwrap();
    assert_eq!(taken("root.json"), [false; 3]);
}
