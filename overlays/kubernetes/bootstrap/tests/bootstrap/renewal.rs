use geminios_bootstrap::catalog::{AUTHORITY_LIFE, Authority, LEAF_LIFE, leaves};
use geminios_bootstrap::clock;
use geminios_bootstrap::issue::issue;
use geminios_bootstrap::judge::Fault;
use geminios_bootstrap::plan::{Plan, Step};
use geminios_bootstrap::state::{Change, State};
use std::time::UNIX_EPOCH;

use crate::scene::{DAY, NOW, Scene, assert_signed, certificate, clients, until};

/// All is 200 days old except what `path` names, which is as old as the node.
fn with_an_older(kept: &str) -> Scene {
    let mut scene = Scene::made();
    scene.now = NOW + 200 * DAY;
    for path in scene.contents().into_keys() {
        let is_leaf = path.ends_with(".conf") || path.ends_with(".crt") && !path.ends_with("ca.crt");
        if is_leaf && path != kept {
            scene.remove(&path);
        }
    }
    scene.run();
    scene
}

#[test]
fn an_expired_certificate_is_renewed_and_the_others_stay() {
    let mut scene = with_an_older("pki/scheduler.crt");
    scene.now = NOW + 366 * DAY;
    assert_eq!(scene.plan(), ["pki/scheduler.crt: issue (expired)"]);
    let before = scene.contents();
    let report = scene.run();
    assert_eq!(report.lines, ["pki/scheduler.crt: issued, valid until 2028-11-18 (expired)"]);
    assert_eq!(scene.changed_since(&before), ["pki/scheduler.crt", "pki/scheduler.key"]);
    scene.assert_sound("renewed");
}

#[test]
fn a_third_of_its_time_is_the_limit() {
    let mut scene = with_an_older("admin.conf");
    scene.now = NOW + LEAF_LIFE - LEAF_LIFE / 3;
    assert_eq!(scene.plan(), Vec::<String>::new());
    scene.now += 1;
    assert_eq!(scene.plan(), ["admin.conf: issue (less than a third of its time was left)"]);
    let before = scene.contents();
    scene.run();
    assert_eq!(scene.changed_since(&before), ["admin.conf"]);
    scene.assert_sound("renewed");
}

#[test]
fn a_clock_in_1970_makes_certificates_that_a_right_one_renews() {
    let mut scene = Scene::empty();
    scene.now = clock::now(UNIX_EPOCH, None);
    scene.run();
    scene.assert_sound("1970");
    let authority = scene.read("pki/ca.crt");
    scene.now = NOW;
    assert_eq!(scene.plan().len(), 16);
    scene.run();
    scene.assert_sound("2026");
    assert_eq!(scene.read("pki/ca.crt"), authority);
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut scene = Scene::made();
    scene.now = clock::NOT_BEFORE;
    assert_eq!(scene.plan(), Vec::<String>::new());
}

#[test]
fn an_authority_is_renewed_with_its_key_and_what_it_signed_stays() {
    let mut scene = Scene::made();
    let due = NOW + AUTHORITY_LIFE - AUTHORITY_LIFE / 3;
    scene.now = due;
    let report = scene.run();
    assert_eq!(report.lines.len(), 16, "{report:?}"); // all leaves, which have long expired
    scene.now = due + DAY;
    let before = scene.contents();
    let lines = scene.run().lines;
    assert_eq!(
        lines[0],
        "pki/ca.crt: renewed with the same key, valid until 2076-11-17 (less than a third of its time was left)"
    );
    // Those in kubeconfigs have a copy of the authority's.
    let changed = scene.changed_since(&before);
    assert_eq!(
        changed.iter().filter(|path| path.starts_with("pki/")).collect::<Vec<_>>(),
        ["pki/ca.crt", "pki/front-proxy-ca.crt"]
    );
    assert_eq!(changed.len(), 2 + 9);
    scene.assert_sound("renewed authority");
    let old = certificate(&before["pki/ca.crt"]);
    assert_signed(
        &certificate(&scene.read("pki/apiserver.crt")),
        &old,
        "apiserver, by those with the old copy",
    );
}

#[test]
fn nothing_outlives_its_authority() {
    let scene = Scene::made();
    let found = State::new(&scene.path(""), &clients()).read().unwrap();
    let leaf = leaves(&scene.node, &clients()).remove(0);
    let plan = Plan { steps: vec![Step::Issue { leaf, fault: Fault::Due }], refusals: vec![] };
    let end = until(&scene.read(Authority::Cluster.certificate()));
    let outcome = issue(&plan, &found, &scene.node, end - 10 * DAY).unwrap();
    let Change::Write { path: "pki/apiserver.crt", bytes } = &outcome.changes[1] else { panic!() };
    assert_eq!(until(bytes), end);
}

#[test]
fn another_address_changes_what_has_it() {
    let mut scene = Scene::made();
    scene.node.ip = [192, 168, 2, 9].into();
    let before = scene.contents();
    let report = scene.run();
    assert_eq!(
        report.lines.join("\n"),
        "node.env: geminios-0123abcd at 192.168.2.9\n\
         pki/apiserver.crt: issued, valid until 2027-11-18 (address or name changed)\n\
         pki/kubelet.crt: issued, valid until 2027-11-18 (address or name changed)\n\
         pki/monitoring.crt: issued, valid until 2027-11-18 (address or name changed)"
    );
    assert_eq!(
        scene.changed_since(&before),
        [
            "node.env",
            "pki/apiserver.crt",
            "pki/apiserver.key",
            "pki/kubelet.crt",
            "pki/kubelet.key",
            "pki/monitoring.crt",
            "pki/monitoring.key"
        ]
    );
    scene.assert_sound("moved");
}

#[test]
fn another_name_changes_what_has_it() {
    let mut scene = Scene::made();
    scene.node.name = "geminios-ffffffff".into();
    assert_eq!(
        scene.plan(),
        [
            "node.env: write",
            "pki/apiserver.crt: issue (address or name changed)",
            "pki/kubelet.crt: issue (address or name changed)",
            "pki/monitoring.crt: issue (address or name changed)",
            "kubelet.conf: issue (content changed)"
        ]
    );
}
