use std::fs;
use std::os::unix::fs::PermissionsExt;

use geminios_bootstrap::catalog;

use crate::scene::{Scene, clients};

/// Ways that a file can be damaged.
fn damages(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let half = bytes.len() / 2;
    let mut garbled = bytes.to_vec();
    garbled[half] = 0xff;
    let mut longer = bytes.to_vec();
    longer.extend([0; 512]);
    vec![
        ("empty", vec![]),
        ("half", bytes[..half].to_vec()),
        ("garbled", garbled),
        ("zeros", vec![0; bytes.len()]),
        ("longer", longer),
    ]
}

#[test]
fn every_damaged_file_but_one_is_mended() {
    let original = Scene::made();
    for path in catalog::files(&clients()) {
        for (damage, bytes) in damages(&original.read(path)) {
            let (scene, context) = (Scene::made(), format!("{path} {damage}"));
            scene.put(path, &bytes);
            let report = scene.run();
            if path == "encryption.yaml" {
                assert_eq!(report.lines, Vec::<String>::new(), "{context}");
                assert_eq!(report.refusals.len(), 1, "{context}");
                assert_eq!(scene.read(path), bytes, "{context}");
            } else {
                assert!(!report.lines.is_empty(), "{context}");
                scene.assert_sound(&context);
            }
        }
    }
}

#[test]
fn every_file_that_is_gone_comes_back() {
    for path in catalog::files(&clients()) {
        let scene = Scene::made();
        scene.remove(path);
        scene.run();
        scene.assert_sound(path);
    }
}

#[test]
fn a_damaged_encryption_key_stays_and_all_else_is_done() {
    let scene = Scene::made();
    scene.put("encryption.yaml", b"kind: Encr");
    scene.remove("admin.conf");
    let report = scene.run();
    assert_eq!(report.lines, ["admin.conf: issued, valid until 2027-11-18 (was missing)"]);
    assert_eq!(
        report.refusals,
        [
            "encryption.yaml is damaged: it ends early or has bytes that are no text. It is left as it is, since its key is all that can read the secrets in the database\n  \
          help: put a copy in its place. If there is none, these secrets are lost: remove the file, which is then made anew, and delete and create them again"
        ]
    );
    assert_eq!(scene.read("encryption.yaml"), b"kind: Encr");
}

#[test]
fn a_new_encryption_key_on_an_old_node_is_said_aloud() {
    let scene = Scene::made();
    scene.remove("encryption.yaml");
    let lines = scene.run().lines;
    assert_eq!(lines[0], "encryption.yaml: made");
    assert!(
        lines[1].starts_with("WARNING: encryption.yaml: it was missing on a node that is not new"),
        "{lines:?}"
    );
}

#[test]
fn a_damaged_authority_is_set_aside_and_a_new_one_issues_everything() {
    let scene = Scene::made();
    let (key, before) = (b"-----BEGIN PRIVATE KEY-----\nMIGH".as_slice(), scene.contents());
    scene.put("pki/ca.key", key);
    let lines = scene.run().lines;
    assert_eq!(
        lines[..4].join("\n"),
        "WARNING: pki/ca.crt: damaged (did not match its key), kept as pki/ca.crt.damaged-1\n\
         WARNING: pki/ca.key: damaged (unreadable), kept as pki/ca.key.damaged-1\n\
         pki/ca.crt: made, valid until 2056-11-17 (unreadable)\n\
         pki/apiserver.crt: issued, valid until 2027-11-18 (not signed by this authority)"
    );
    scene.assert_sound("new authority");
    assert_eq!(scene.read("pki/ca.key.damaged-1"), key);
    assert_eq!(scene.read("pki/ca.crt.damaged-1"), before["pki/ca.crt"]);
    let changed = scene.changed_since(&before);
    for kept in ["encryption.yaml", "node.env", "pki/sa.key", "pki/sa.pub", "pki/front-proxy-client.crt"] {
        assert!(!changed.contains(&kept.to_string()), "{kept}");
    }
    // A second time, under another name.
    scene.put("pki/ca.key", b"");
    scene.run();
    assert_eq!(scene.read("pki/ca.key.damaged-1"), key);
    assert_eq!(scene.read("pki/ca.key.damaged-2"), b"");
}

#[test]
fn a_damaged_authority_certificate_comes_back_from_its_key() {
    let scene = Scene::made();
    scene.put("pki/ca.crt", b"x");
    let before = scene.contents();
    scene.run();
    let changed = scene.changed_since(&before);
    let pki: Vec<&String> = changed.iter().filter(|path| path.starts_with("pki/")).collect();
    assert_eq!(pki, ["pki/ca.crt", "pki/ca.crt.damaged-1"]);
    scene.assert_sound("same key");
}

#[test]
fn a_damaged_key_of_service_accounts_is_set_aside() {
    let scene = Scene::made();
    scene.put("pki/sa.key", b"x");
    let before = scene.contents();
    let report = scene.run();
    assert_eq!(
        report.lines,
        [
            "WARNING: pki/sa.key: damaged (unreadable), kept as pki/sa.key.damaged-1",
            "pki/sa.key: made (unreadable)"
        ]
    );
    assert_eq!(scene.changed_since(&before), ["pki/sa.key", "pki/sa.key.damaged-1", "pki/sa.pub"]);
}

#[test]
fn files_of_another_node_are_replaced() {
    let (scene, other) = (Scene::made(), Scene::empty());
    other.run();
    for path in
        ["pki/apiserver.key", "pki/scheduler.crt", "flannel.conf", "pki/kubelet.crt", "pki/kubelet.key"]
    {
        scene.put(path, &other.read(path));
    }
    assert_eq!(
        scene.plan(),
        [
            "pki/apiserver.crt: issue (did not match its key)",
            "pki/kubelet.crt: issue (not signed by this authority)",
            "pki/scheduler.crt: issue (did not match its key)",
            "flannel.conf: issue (not signed by this authority)"
        ]
    );
    scene.run();
    scene.assert_sound("mixed");
}

#[test]
fn wider_permissions_are_mended_and_narrower_ones_stay() {
    let scene = Scene::made();
    let before = scene.stats();
    let set =
        |path: &str, mode| fs::set_permissions(scene.path(path), fs::Permissions::from_mode(mode)).unwrap();
    for (path, mode) in [("pki/ca.key", 0o640), ("admin.conf", 0o604), ("pki/ca.crt", 0o666), ("pki", 0o777)]
    {
        set(path, mode);
    }
    let lines = scene.run().lines;
    assert_eq!(
        lines.join("\n"),
        "pki/ca.key: mode was 0640, is 0600\n\
         pki/ca.crt: mode was 0666, is 0600\n\
         admin.conf: mode was 0604, is 0600\n\
         pki: mode was 0777, is 0755"
    );
    assert_eq!(scene.stats(), before);
    set("pki/apiserver.crt", 0o400);
    assert_eq!(scene.run(), Default::default());
}

#[test]
fn what_a_cut_run_left_is_swept() {
    let scene = Scene::made();
    let before = scene.stats();
    scene.put(".admin.conf.tmp", b"half");
    scene.put("pki/.ca.key.tmp", b"half");
    assert_eq!(scene.run(), Default::default());
    assert_eq!(scene.stats(), before);
}
