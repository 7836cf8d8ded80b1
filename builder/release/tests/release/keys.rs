//! Keys: made, listed, behind commands, too few, rotated.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use geminios_model::Silent;
use geminios_release::keys::{self, Keys, Place};
use geminios_release::verify::verify;
use geminios_release::{Changes, Lifetimes, ReleaseError, Repository};
use geminios_update_format::metadata::RoleName;

use crate::made::{NOW, Scene, published, tree, two};

/// All roles, with their thresholds as they are.
fn all() -> Changes {
    RoleName::ALL.into_iter().map(|role| (role, None)).collect()
}

#[test]
fn keys_are_listed_and_private() {
    let scene = Scene::new();
    let list = keys::list(&scene.path("keys")).unwrap();
    assert_eq!(list.len(), 8);
    let mut ids: Vec<String> = list.iter().map(|key| key.id.0.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    assert!(list.iter().all(|key| key.place == Place::File && !key.old));

    let key = &list[0].path;
    assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(key, fs::Permissions::from_mode(mode)).unwrap();
        let error = Keys::open(&scene.path("keys")).unwrap_err();
        assert!(matches!(&error, ReleaseError::Readable { path, .. } if path == key), "{error}");
    }
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(key, "no key").unwrap();
    let error = Keys::open(&scene.path("keys")).unwrap_err();
    assert!(matches!(&error, ReleaseError::Key { path, .. } if path == key), "{error}");
    let roles = RoleName::ALL.into_iter().map(|role| (role, (1, 1))).collect();
    let error = keys::init(&scene.path("keys"), &roles, NOW, 1000).unwrap_err();
    assert!(matches!(error, ReleaseError::KeyFolder { .. }), "{error}");
}

#[test]
fn too_few_keys_are_refused_before_any_work() {
    let scene = Scene::new();
    let [first, _] = two(&scene);
    fs::remove_file(scene.path("keys/targets-2.pem")).unwrap();
    let repository = scene.repository();
    let error = scene.publish_to(&repository, &first, "stable").unwrap_err();
    assert_eq!(error.to_string().lines().next().unwrap(), "1 of 2 needed keys of role targets are at hand");
    assert!(!scene.repo().join("blobs").exists());
}

/// A key behind a command: here OpenSSL with the same key file, which also proves that it reads our files.
#[test]
fn a_command_signs() {
    let scene = Scene::new();
    let [first, _] = two(&scene);
    let key = scene.path("keys/timestamp-1.pem");
    let away = scene.path("away.pem");
    let public = keys_public(&scene, &key);
    fs::rename(&key, &away).unwrap();
    let describe = |command: &str| {
        let text = format!("public = \"{public}\"\ncommand = [\"sh\", \"-c\", {command:?}]\n");
        fs::write(scene.path("keys/timestamp-hsm.toml"), text).unwrap();
    };
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "no openssl");
        return eprintln!("skipped: no openssl on this host");
    }
    // openssl signs with ed25519 from a file only.
    let sign = format!(
        "f=$(mktemp) && cat > $f && openssl pkeyutl -sign -rawin -inkey {} -in $f | base64 -w0; rm $f",
        away.display()
    );
    let repository = scene.repository();
    for (command, why) in [
        ("exit 3", "ended with exit status: 3"),
        ("echo no", "no signature"),
        ("head -c 64 /dev/zero | base64 -w0", "does not fit"),
    ] {
        describe(command);
        let error = scene.publish_to(&repository, &first, "stable").unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!scene.repo().join("metadata/timestamp.json").exists());
    }
    describe(&sign);
    scene.publish_to(&repository, &first, "stable").unwrap();
    assert_eq!(scene.verify(&scene.repo()).findings, vec![]);
}

fn keys_public(scene: &Scene, path: &std::path::Path) -> String {
    let keys = scene.keys();
    let signer = keys.0.iter().find(|signer| signer.path == path).unwrap();
    signer.public.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn all_keys_are_rotated_and_devices_of_the_first_root_follow() {
    let scene = published();
    let folder = scene.path("keys");
    for role in RoleName::ALL {
        assert_eq!(keys::renew(&folder, role).unwrap().len(), 2);
    }
    // The repository knows nothing of the new keys yet, and the old ones still sign.
    let repository = scene.repository();
    let rotated = repository.rotate(&scene.keys(), &all(), NOW, &Lifetimes::default()).unwrap();
    assert_eq!((rotated.root, rotated.new), (2, true));
    assert_eq!(scene.verify(&scene.repo()).findings, vec![]);
    let again = repository.rotate(&scene.keys(), &all(), NOW, &Lifetimes::default()).unwrap();
    assert_eq!((again.root, again.new), (2, false));

    // From here on the old ones are not needed, and are worth nothing.
    fs::rename(folder.join("old"), scene.path("old")).unwrap();
    repository.refresh(&scene.keys(), NOW, &Lifetimes::default()).unwrap();
    assert_eq!(scene.verify(&scene.repo()).findings, vec![]);
    let old = Keys::open(&scene.path("old")).unwrap();
    let error = repository.refresh(&old, NOW, &Lifetimes::default()).unwrap_err();
    assert!(matches!(error, ReleaseError::TooFewKeys { role: "timestamp", .. }), "{error}");
}

/// A reader may come at any moment of a rotation, and it may be cut there.
#[test]
fn a_rotation_that_is_cut_leaves_a_good_repository() {
    let scene = published();
    let folder = scene.path("keys");
    for role in RoleName::ALL {
        keys::renew(&folder, role).unwrap();
    }
    for last in 0.. {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let hook = move |_, _: &std::path::Path| {
            let cut = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= last;
            if cut { Err(std::io::Error::other("power cut")) } else { Ok(()) }
        };
        let repository = Repository::open(&scene.repo()).unwrap().with_hook(Box::new(hook));
        let done = repository.rotate(&scene.keys(), &all(), NOW, &Lifetimes::default());
        assert_eq!(scene.verify(&scene.repo()).findings, vec![], "cut at {last}");
        if done.is_ok() {
            assert!(last > 10);
            return;
        }
    }
}

/// Lost keys of a role: the root comes first, and a cut after it is mended by running the rotation again.
#[test]
fn lost_keys_are_replaced() {
    let scene = published();
    let folder = scene.path("keys");
    keys::renew(&folder, RoleName::Timestamp).unwrap();
    fs::remove_dir_all(folder.join("old")).unwrap();
    let hook = |_, path: &std::path::Path| {
        if path.ends_with("2.root.json") { Ok(()) } else { Err(std::io::Error::other("power cut")) }
    };
    let repository = Repository::open(&scene.repo()).unwrap().with_hook(Box::new(hook));
    assert!(repository.rotate(&scene.keys(), &all(), NOW, &Lifetimes::default()).is_err());
    assert!(scene.repo().join("metadata/2.root.json").exists());
    assert!(!scene.verify(&scene.repo()).findings.is_empty());
    let rotated = scene.repository().rotate(&scene.keys(), &all(), NOW, &Lifetimes::default()).unwrap();
    assert_eq!((rotated.root, rotated.new), (2, false));
    assert_eq!(verify(&scene.repo(), Some(&scene.root), NOW, &Silent).findings, vec![]);
}

/// Who has the keys of one role and of the root changes that role, and need not have the others.
#[test]
fn one_role_is_rotated_without_the_keys_of_the_others() {
    let scene = published();
    let folder = scene.path("keys");
    for file in ["targets-1.pem", "targets-2.pem", "snapshot-1.pem", "snapshot-2.pem"] {
        fs::rename(folder.join(file), scene.path(file)).unwrap();
    }
    let timestamp: Changes = [(RoleName::Timestamp, None)].into();
    let repository = scene.repository();
    let rotate = |changes: &Changes| repository.rotate(&scene.keys(), changes, NOW, &Lifetimes::default());
    assert!(!repository.rotation_is_due(&scene.keys(), &timestamp).unwrap());
    keys::renew(&folder, RoleName::Timestamp).unwrap();
    assert!(repository.rotation_is_due(&scene.keys(), &timestamp).unwrap());
    let before = tree(&scene.repo());
    assert!(rotate(&timestamp).unwrap().new);
    assert_eq!(scene.verify(&scene.repo()).findings, vec![]);
    let new: Vec<String> =
        tree(&scene.repo()).into_keys().filter(|name| !before.contains_key(name)).collect();
    assert_eq!(new, ["metadata/2.root.json"]);

    // The root's own keys and a threshold: nothing else is signed anew.
    keys::renew(&folder, RoleName::Root).unwrap();
    assert!(rotate(&[(RoleName::Root, Some(1))].into()).unwrap().new);
    assert_eq!(scene.verify(&scene.repo()).findings, vec![]);
    // Of targets, all keys would have to be here.
    let error = rotate(&[(RoleName::Targets, None)].into()).unwrap_err().to_string();
    assert!(error.contains("targets"), "{error}");
}
