//! Files for those who watch devices: Prometheus's own tool takes them, and no metric is asked for that devices lack. A host
//! without promtool skips its part with a word; GEMINIOS_ORACLES=required makes it fail.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn overlay() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../overlays/monitoring")
}

/// Where the image has them too.
fn shipped(name: &str) -> PathBuf {
    overlay().join("rootfs/usr/share/geminios/monitoring").join(name)
}

fn promtool(arguments: &[&str], file: &Path) {
    let output = match Command::new("promtool").args(arguments).arg(file).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "promtool: {error}");
            return eprintln!("SKIPPED: this host has no promtool");
        }
        output => output.unwrap(),
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?} {}:\n{said}", file.display());
}

#[test]
fn promtool_takes_the_scrape_configuration() {
    // It looks for the certificates, which are each cluster's.
    let folder = tempfile::tempdir().unwrap();
    for name in ["scrape.yaml", "alerts.yaml"] {
        fs::copy(shipped("prometheus").join(name), folder.path().join(name)).unwrap();
    }
    fs::create_dir(folder.path().join("geminios")).unwrap();
    for name in ["ca.crt", "monitor.crt", "monitor.key"] {
        fs::write(folder.path().join("geminios").join(name), "").unwrap();
    }
    promtool(&["check", "config"], &folder.path().join("scrape.yaml"));
}

#[test]
fn alerts_fire_when_they_should() {
    promtool(&["test", "rules"], &overlay().join("tests/alerts.yaml"));
}

#[test]
fn promtool_takes_the_expressions_of_the_dashboard() {
    let rules = expressions().into_iter().enumerate().map(|(number, expression)| {
        let expression = expression.replace("$__rate_interval", "5m");
        serde_json::json!({ "record": format!("dashboard:{number}"), "expr": expression })
    });
    let rules: Vec<Value> = rules.collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    // JSON is YAML.
    let groups = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(file.path(), groups.to_string()).unwrap();
    promtool(&["check", "rules"], file.path());
}

#[test]
fn what_is_asked_for_is_what_devices_have() {
    let alerts = fs::read_to_string(shipped("prometheus/alerts.yaml")).unwrap();
    let alerts = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ").map(str::to_owned));
    let mut asked = BTreeSet::new();
    for expression in alerts.chain(expressions()) {
        let found = metrics(&expression);
        assert!(!found.is_empty(), "no metric in {expression}");
        asked.extend(found);
    }
    let list = fs::read_to_string(overlay().join("tests/metrics.txt")).unwrap();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let mut had: BTreeSet<String> = lines.map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    had.insert("up".into()); // Prometheus makes it
    assert_eq!(asked, had, "metrics that are asked for, and those in tests/metrics.txt");
}

/// What the panels of the dashboard ask.
fn expressions() -> Vec<String> {
    let text = fs::read_to_string(shipped("grafana/geminios.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels with one id");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// Each stands before the braces of a selector, which says that it is of this system.
fn metrics(expression: &str) -> Vec<String> {
    let before = |open: usize| {
        let start =
            expression[..open].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        assert!(expression[open..].starts_with("{system=\"geminios\""), "of any system: {expression}");
        expression[start..open].to_owned()
    };
    expression.match_indices('{').map(|(open, _)| before(open)).collect()
}
