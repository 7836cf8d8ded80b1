use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use geminios_bootstrap::catalog::AUTHORITY_LIFE;
use geminios_bootstrap::state::{Operation, State};

use crate::scene::{DAY, Scene, clients};

/// What a run finds before the power goes, and what is at stake in it.
fn beginnings() -> Vec<(&'static str, Scene)> {
    let mut moved = Scene::made();
    moved.node.ip = [10, 0, 0, 9].into();
    let damaged = Scene::made();
    damaged.put("pki/ca.key", b"x");
    let mut old = Scene::made();
    old.now += AUTHORITY_LIFE - 100 * DAY;
    vec![
        ("new node", Scene::empty()),
        ("new address", moved),
        ("damaged authority", damaged),
        ("after 30 years", old),
    ]
}

/// The same files, time and node in another folder.
fn copy(scene: &Scene) -> Scene {
    let mut copy = Scene::empty();
    copy.put_all(&scene.contents());
    (copy.node, copy.now) = (scene.node.clone(), scene.now);
    copy
}

/// How many operations a run makes.
fn operations(scene: &Scene) -> usize {
    let count = Rc::new(Cell::new(0));
    let seen = count.clone();
    let gate = move |_, _: &_| {
        seen.set(seen.get() + 1);
        Ok(())
    };
    scene.run_with(Box::new(gate)).unwrap();
    count.get()
}

#[test]
fn power_may_go_before_any_operation() {
    for (name, beginning) in beginnings() {
        let operations = operations(&copy(&beginning));
        assert!(operations > 10, "{name}");
        let mut mended = None;
        for cut in 0..operations {
            let (scene, context) = (copy(&beginning), format!("{name}, cut before operation {cut}"));
            let left = Cell::new(cut);
            let gate = move |_, _: &_| match left.get() {
                0 => Err(io::Error::other("no power")),
                more => {
                    left.set(more - 1);
                    Ok(())
                }
            };
            assert!(scene.run_with(Box::new(gate)).is_err(), "{context}");
            // While all is only written under temporary names, what is there stays as it was.
            State::new(&scene.path(""), &clients()).sweep().unwrap();
            let left = Some(scene.contents());
            if mended != left {
                mended = left;
                scene.run();
                scene.assert_sound(&context);
                assert_eq!(scene.run(), Default::default(), "{context}");
            }
        }
    }
}

#[test]
fn a_full_disk_changes_nothing_and_is_said() {
    for (name, beginning) in beginnings() {
        let before = beginning.contents();
        for operation in [Operation::Create, Operation::Write, Operation::Sync] {
            for path in [".node.env.tmp", ".apiserver.crt.tmp", ".kubelet.key.tmp", ".admin.conf.tmp"] {
                let context = format!("{name}, {operation:?} {path}");
                let scene = copy(&beginning);
                let gate = move |asked, file: &std::path::Path| {
                    let full = asked == operation && file.ends_with(path);
                    if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
                };
                let Err(error) = scene.run_with(Box::new(gate)) else { continue };
                assert_eq!(scene.contents(), before, "{context}");
                let file = path.trim_start_matches('.').trim_end_matches(".tmp");
                let error = error.to_string();
                assert!(error.starts_with("cannot write /") && error.contains(file), "{error}");
                assert!(error.contains("help: free space on this file system; it is tried again"), "{error}");
            }
        }
    }
}

/// A file system may keep some renames of a run and lose others.
#[test]
fn any_mix_of_old_and_new_files_is_mended() {
    for (name, beginning) in beginnings() {
        let old = beginning.contents();
        let done = copy(&beginning);
        done.run();
        let new = done.contents();
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for round in 0..10 {
            let mut mix = BTreeMap::new();
            for path in old.keys().chain(new.keys()) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                // A file that was set aside is under one of its names.
                let is_aside = path.contains(".damaged-");
                let from = if random % 2 == 0 { &old } else { &new };
                if let Some(bytes) = from.get(path).filter(|_| !is_aside) {
                    mix.insert(path.clone(), bytes.clone());
                }
            }
            let scene = copy(&beginning);
            old.keys().for_each(|path| scene.remove(path));
            scene.put_all(&mix);
            scene.run();
            scene.assert_sound(&format!("{name}, mix {round}"));
        }
    }
}

#[test]
fn a_second_run_waits_for_the_first() {
    let scene = Scene::made();
    let state = State::new(&scene.path(""), &clients());
    let lock = state.lock().unwrap();
    let root = scene.path("");
    let (sender, receiver) = std::sync::mpsc::channel();
    let second = std::thread::spawn(move || {
        let _lock = State::new(&root, &clients()).lock().unwrap();
        sender.send(()).unwrap();
    });
    assert!(receiver.recv_timeout(std::time::Duration::from_millis(200)).is_err());
    drop(lock);
    receiver.recv().unwrap();
    second.join().unwrap();
}
