//! The cache of steps keeps whole folders, and only those.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use geminios_model::Digest;
use tempfile::TempDir;

use super::world::files_below;
use crate::{Steps, StepsError};

fn fill(text: &'static str) -> impl Fn(&Path) -> Result<(), StepsError> {
    move |folder| {
        fs::create_dir(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/file"), text).unwrap();
        Ok(())
    }
}

#[test]
fn a_step_runs_once() {
    let cache = TempDir::new().unwrap();
    let steps = Steps::open(cache.path()).unwrap();
    let key = Digest::of("key");
    assert_eq!(steps.get("erofs", &key), None);
    let path = steps.put("erofs", &key, fill("one")).unwrap();
    assert_eq!(steps.put("erofs", &key, fill("two")).unwrap(), path);
    assert_eq!(steps.get("erofs", &key), Some(path.clone()));
    assert_eq!(fs::read_to_string(path.join("sub/file")).unwrap(), "one");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!((steps.get("verity", &key), steps.get("erofs", &Digest::of("other"))), (None, None));
}

#[test]
fn a_step_that_fails_leaves_nothing() {
    let cache = TempDir::new().unwrap();
    let steps = Steps::open(cache.path()).unwrap();
    let key = Digest::of("key");
    let failed = steps.put("erofs", &key, |folder| {
        fill("half")(folder)?;
        Err(StepsError { path: "x".into(), error: std::io::Error::other("mkfs.erofs failed") })
    });
    assert!(failed.unwrap_err().to_string().contains("mkfs.erofs failed"));
    assert_eq!((steps.get("erofs", &key), files_below(cache.path())), (None, vec![]));
    steps.put("erofs", &key, fill("whole")).unwrap();
}

#[test]
fn a_folder_that_was_tampered_with_is_made_again() {
    let cache = TempDir::new().unwrap();
    let steps = Steps::open(cache.path()).unwrap();
    let key = Digest::of("key");
    let damages: [fn(&Path); 4] = [
        |made| fs::write(made.join("sub/file"), "shorter or longer").unwrap(),
        |made| fs::remove_file(made.join("sub/file")).unwrap(),
        |made| fs::write(made.join("more"), "").unwrap(),
        |made| fs::remove_file(made.with_file_name("files")).unwrap(),
    ];
    for damage in damages {
        damage(&steps.put("erofs", &key, fill("one")).unwrap());
        assert_eq!(steps.get("erofs", &key), None);
        let path = steps.put("erofs", &key, fill("one")).unwrap();
        assert_eq!(fs::read_to_string(path.join("sub/file")).unwrap(), "one");
    }
}

#[test]
fn of_two_who_make_the_same_both_succeed_and_one_counts() {
    let cache = TempDir::new().unwrap();
    let steps = Steps::open(cache.path()).unwrap();
    let (key, ran, together) = (Digest::of("key"), AtomicUsize::new(0), Barrier::new(4));
    let paths: Vec<_> = std::thread::scope(|scope| {
        let make = || {
            steps.put("erofs", &key, |folder| {
                ran.fetch_add(1, Ordering::Relaxed);
                together.wait();
                fill("same")(folder)
            })
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
    });
    assert_eq!(ran.load(Ordering::Relaxed), 4);
    assert!(paths.iter().all(|path| *path == paths[0]));
    assert_eq!(files_below(cache.path()), ["file", "files"], "the losers' are removed");
}

#[test]
fn the_size_is_told_and_all_can_be_cleared() {
    let cache = TempDir::new().unwrap();
    let steps = Steps::open(cache.path()).unwrap();
    let path = steps.put("erofs", &Digest::of("key"), fill("12345")).unwrap();
    let noted = "5 sub/file\n".len() as u64;
    assert_eq!(steps.size().unwrap(), 5 + noted);
    steps.clear().unwrap();
    assert_eq!((steps.size().unwrap(), path.exists()), (0, false));
    steps.put("erofs", &Digest::of("key"), fill("12345")).unwrap();
}
