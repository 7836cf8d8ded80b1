//! Repositories that our writer makes, in scenarios for both clients.

use std::collections::BTreeMap;
use std::path::Path;

use geminios_update_format::json::Value as Json;
use geminios_update_format::metadata::RoleName;
use geminios_update_format::time::{self, DAY, UnixTime};
use serde_json::{Value, json};

use crate::made::{Files, NOW, Plan};

/// By name: the scenario, and whether each step is to be accepted.
pub type Scenarios = BTreeMap<&'static str, (Value, Vec<bool>)>;

/// A repository, when it is met, and whether it is to be accepted.
type Step = (Files, UnixTime, bool);

pub fn scenarios(base: &Path) -> Scenarios {
    let cases: [(&str, Vec<Step>); 12] = [
        ("smallest", vec![(Plan::new().repository().0, NOW, true)]),
        ("thresholds", vec![(thresholds().repository().0, NOW, true)]),
        ("several_versions", several_versions()),
        ("root_rotation", rotation(&[RoleName::Root])),
        ("all_keys_rotated", rotation(&RoleName::ALL)),
        ("long_chain", long_chain()),
        ("fast_forward_recovered", fast_forward()),
        ("many_targets", vec![(many_targets().repository().0, NOW, true)]),
        ("strange_custom", vec![(strange_custom().repository().0, NOW, true)]),
        (
            "expired",
            vec![
                (Plan::new().repository().0, NOW + 31 * DAY, false),
                (Plan::new().repository().0, NOW, true),
            ],
        ),
        (
            "rolled_back",
            several_versions()
                .into_iter()
                .rev()
                .zip([true, false, false])
                .map(|(step, ok)| (step.0, step.1, ok))
                .collect(),
        ),
        ("other_targets_file", vec![(swapped(), NOW, false)]),
    ];
    let write = |(name, steps): (&'static str, Vec<Step>)| {
        let accepted = steps.iter().map(|step| step.2).collect();
        (name, (write(base, name, &steps), accepted))
    };
    cases.into_iter().map(write).collect()
}

/// Lays a scenario's repositories down.
fn write(base: &Path, name: &str, steps: &[Step]) -> Value {
    let lay = |(at, (files, now, _)): (usize, &Step)| {
        let folder = format!("{name}/{at}");
        for (path, bytes) in files {
            let path = base.join(&folder).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        json!({"repository": folder, "now": time::format(*now), "targets": ["a/b.txt"]})
    };
    let steps: Vec<Value> = steps.iter().enumerate().map(lay).collect();
    json!({"root": format!("{name}/0/metadata/1.root.json"), "steps": steps})
}

fn thresholds() -> Plan {
    let mut plan = Plan::new();
    for (at, role) in RoleName::ALL.into_iter().enumerate() {
        let first = 10 * (at as u8 + 1);
        plan.roles.insert(role, ((first..first + 5).collect(), 3));
    }
    plan
}

fn several_versions() -> Vec<Step> {
    let mut plan = Plan::new();
    let (mut files, _) = plan.repository();
    let mut steps = vec![(files.clone(), NOW, true)];
    for version in 2..=3 {
        plan.version = version;
        plan.issued += 3600;
        plan.targets.insert("a/b.txt".to_owned(), (format!("contents {version}").into_bytes(), None));
        plan.publish(&mut files);
        steps.push((files.clone(), NOW + version * 3600, true));
    }
    steps
}

fn rotation(roles: &[RoleName]) -> Vec<Step> {
    let plan = thresholds();
    let (mut files, _) = plan.repository();
    let first = (files.clone(), NOW, true);
    let mut rotated = plan.clone();
    rotated.version = 2;
    for role in roles {
        let seeds = rotated.roles.get_mut(role).unwrap();
        seeds.0.iter_mut().for_each(|seed| *seed += 100);
    }
    rotated.root(2, Some(&plan), &mut files);
    rotated.publish(&mut files);
    vec![first, (files, NOW, true)]
}

fn long_chain() -> Vec<Step> {
    let mut plan = Plan::new();
    let (mut files, _) = plan.repository();
    for version in 2..=12 {
        let before = plan.clone();
        plan.roles.insert(RoleName::Root, (vec![100 + version as u8], 1));
        plan.root(version, Some(&before), &mut files);
    }
    vec![(files, NOW, true)]
}

fn fast_forward() -> Vec<Step> {
    let mut plan = Plan::new();
    plan.version = 1 << 50;
    let (mut files, _) = plan.repository();
    let first = (files.clone(), NOW, true);
    let mut rotated = plan.clone();
    rotated.version = 2;
    for role in [RoleName::Timestamp, RoleName::Snapshot, RoleName::Targets] {
        rotated.roles.get_mut(&role).unwrap().0[0] += 100;
    }
    let mut not_rotated = files.clone();
    plan.version = 2;
    plan.publish(&mut not_rotated);
    rotated.root(2, Some(&plan), &mut files);
    rotated.publish(&mut files);
    vec![first, (not_rotated, NOW, false), (files, NOW, true)]
}

fn many_targets() -> Plan {
    let mut plan = Plan::new();
    for at in 0..1000_u32 {
        plan.targets.insert(format!("p{at}/board/1.0.{at}/release.json"), (at.to_le_bytes().to_vec(), None));
    }
    plan
}

fn strange_custom() -> Plan {
    let mut plan = Plan::new();
    let custom = Json::from([
        ("\u{1}\t\n", "\u{7f} é \u{2028} \u{1f980} \" \\ \u{0}".into()),
        (
            "\u{ffff}",
            Json::List(vec![Json::Null, Json::Bool(true), Json::Integer(i64::MIN), Json::Integer(i64::MAX)]),
        ),
        ("\u{1f980}", Json::from([])),
    ]);
    plan.targets.insert("a/b.txt".to_owned(), (b"contents".to_vec(), Some(custom)));
    plan
}

/// The targets of another repository, signed by the same keys.
fn swapped() -> Files {
    let (mut files, _) = Plan::new().repository();
    let other = many_targets().repository().0;
    files.insert("metadata/1.targets.json".to_owned(), other["metadata/1.targets.json"].clone());
    files
}
