//! python-tuf, the reference implementation of TUF, reads what is published. It and its script are those of the format's tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use geminios_release::Lifetimes;
use geminios_release::keys;
use geminios_update_format::metadata::RoleName;
use geminios_update_format::{Digest, time};
use serde_json::{Value, json};

use crate::made::{NOW, published};

fn judge() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../overlays/updater/format/judge")
}

/// The environment that the format's tests keep in the user's cache (`cargo test -p geminios-update-format` makes it).
fn python() -> Option<PathBuf> {
    let digest = Digest::of(&std::fs::read(judge().join("requirements.txt")).unwrap()).to_string();
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")))?;
    let python = cache.join("geminios/tuf-judge").join(&digest[..16]).join("bin/python");
    python.exists().then_some(python)
}

#[test]
fn python_tuf_accepts_a_repository_before_and_after_a_rotation() {
    let Some(python) = python() else {
        assert!(
            std::env::var_os("GEMINIOS_ORACLES").is_none(),
            "no python-tuf: run the tests of geminios-update-format first"
        );
        return eprintln!("skipped: no python-tuf; the tests of geminios-update-format make its environment");
    };
    let scene = published();
    let names = ["edge/pc/1.0.0/release.json", "edge/pc/1.1.0/release.json"];
    std::fs::write(scene.path("root.json"), &scene.root).unwrap();
    let verdicts = || {
        let steps = json!([{"repository": "repo", "now": time::format(NOW), "targets": names}]);
        let scenarios = scene.path("scenarios.json");
        std::fs::write(&scenarios, json!({"it": {"root": "root.json", "steps": steps}}).to_string()).unwrap();
        let output =
            Command::new(&python).arg("-B").arg(judge().join("client.py")).arg(&scenarios).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
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
