//! A publishing that ends at any moment of any write leaves a whole repository, and is finished by running it again.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use geminios_release::{Moment, Published, ReleaseError, Repository};

use crate::made::{Scene, changed, content, tree};

/// Publishes, and ends at moment `last`; None if it was done before that.
fn publish_until(scene: &Scene, build: &geminios_release::Build, last: usize) -> Option<Published> {
    let count = Arc::new(AtomicUsize::new(0));
    let hook = move |_: Moment, _: &Path| {
        if count.fetch_add(1, Ordering::Relaxed) >= last {
            Err(io::Error::other("power cut"))
        } else {
            Ok(())
        }
    };
    let repository = Repository::open(&scene.repo()).unwrap().with_hook(Box::new(hook));
    match scene.publish_to(&repository, build, "stable") {
        Ok(published) => Some(published),
        Err(ReleaseError::Io { error, .. }) if error.to_string() == "power cut" => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn at_every_write() {
    let scene = Scene::with_keys(1);
    let root = content(1, 25 << 12);
    let root = &root[..];
    let (first, second) = (scene.build("1.0.0", root), scene.build("1.1.0", &changed(root)));
    scene.publish(&first);
    let whole = scene.path("whole");
    copy(&scene.repo(), &whole);
    scene.publish(&second);
    let done = tree(&scene.repo());

    let mut cuts = 0;
    for last in 0.. {
        std::fs::remove_dir_all(scene.repo()).unwrap();
        copy(&whole, &scene.repo());
        let finished = publish_until(&scene, &second, last);
        let report = scene.verify(&scene.repo());
        assert_eq!(report.findings, vec![], "cut at {last}");
        if finished.is_some() {
            break;
        }
        cuts += 1;
        // Before the timestamp there is the old release, after it both.
        assert!((1..=2).contains(&report.releases.len()));
        // Each other one is finished: three moments a file, so all of them come by.
        if last % 2 == 0 {
            continue;
        }
        scene.publish(&second);
        let report = scene.verify(&scene.repo());
        assert_eq!((report.findings, report.releases.len()), (vec![], 2), "finished after a cut at {last}");
        let after = tree(&scene.repo());
        assert!(after.keys().all(|name| !name.contains(".new-")), "{:?}", after.keys());
        // Blobs and releases are those of a publishing without a cut; only numbers of metadata may differ.
        let content = |tree: &std::collections::BTreeMap<String, Vec<u8>>| {
            tree.iter()
                .filter(|(name, _)| !name.starts_with("metadata/"))
                .map(|(a, b)| (a.clone(), b.clone()))
                .collect::<Vec<_>>()
        };
        assert!(content(&after) == content(&done), "cut at {last}");
    }
    // Three moments a file: five of metadata and targets and more of blobs.
    assert!(cuts > 30, "{cuts} moments");
    eprintln!("{cuts} moments");
}

/// No file with a version or digest in its name ever gets other bytes, also not after a cut.
#[test]
fn names_keep_their_bytes() {
    let scene = Scene::new();
    let root = content(1, 40 << 12);
    let (first, second) = (scene.build("1.0.0", &root), scene.build("1.1.0", &changed(&root)));
    scene.publish(&first);
    let mut seen = tree(&scene.repo());
    for last in (0..).step_by(4) {
        let finished = publish_until(&scene, &second, last).is_some();
        for (name, bytes) in tree(&scene.repo()) {
            if name != "metadata/timestamp.json" && !name.contains(".new-") {
                let before = seen.entry(name.clone()).or_insert_with(|| bytes.clone());
                assert!(*before == bytes, "{name} changed");
            }
        }
        if finished {
            return;
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for (name, bytes) in tree(from) {
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
