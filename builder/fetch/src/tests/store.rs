//! The store keeps what it was given, or says that it cannot.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use geminios_model::Digest;

use super::server::Server;
use super::world::{World, bytes, want};
use crate::part::Part;
use crate::{Store, StoreError};

#[test]
fn what_was_put_is_there_for_every_later_store() {
    let world = World::new();
    let data = bytes("a", 100_000);
    let blob = world.store.put(data.as_slice(), None).unwrap();
    assert_eq!((blob.digest, blob.size), (Digest::of(&data), 100_000));
    let later = Store::open(world.cache.path()).unwrap();
    let mut read = Vec::new();
    later.get(&blob.digest).unwrap().unwrap().open().unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, data);
    assert_eq!(fs::metadata(&blob.path).unwrap().permissions().mode() & 0o7777, 0o644);
    assert!(later.has(&blob.digest, 100_000) && !later.has(&blob.digest, 99_999));
    assert_eq!(later.get(&Digest::of("other")).unwrap(), None);
}

#[test]
fn other_bytes_than_expected_are_not_kept() {
    let world = World::new();
    let digest = Digest::of(b"good");
    let endless = std::io::repeat(0);
    for error in [
        world.store.put(&b"evil"[..], Some((digest, 4))).unwrap_err(),
        world.store.put(&b"goo"[..], Some((digest, 4))).unwrap_err(),
        world.store.put(&b"good"[..], Some((digest, 5))).unwrap_err(),
        world.store.put(endless, Some((digest, 4))).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
    }
    assert_eq!(world.files(), [""; 0]);
}

#[test]
fn a_download_of_other_bytes_is_not_adopted() {
    let world = World::new();
    let mut part = Part::open(world.part(&Digest::of(b"good")), &|| {}).unwrap();
    part.append(b"evil").unwrap();
    let error = world.store.adopt(part, Digest::of(b"good"), 4).unwrap_err();
    assert!(matches!(error, StoreError::Mismatch { .. }), "{error}");
    assert_eq!(world.store.get(&Digest::of(b"good")).unwrap(), None);
    assert_eq!(world.store.get(&Digest::of(b"evil")).unwrap(), None);
}

#[test]
fn a_source_that_fails_leaves_nothing() {
    let world = World::new();
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the archive ends early"))
        }
    }
    let error = world.store.put((&b"begin"[..]).chain(Broken), None).unwrap_err();
    assert!(
        matches!(error, StoreError::Source(_)) && error.to_string() == "the archive ends early",
        "{error}"
    );
    assert_eq!(world.files(), [""; 0]);
}

#[test]
fn a_damaged_blob_is_noticed_and_fetched_again() {
    let world = World::new();
    let data = bytes("a", 50_000);
    let server = Server::good(&data);
    let wanted = want("a", &data);
    for damage in [&data[..49_999], &bytes("flipped", 50_000)] {
        let blob = world.fetch(&[server.mirror()], &wanted).unwrap();
        fs::write(&blob.path, damage).unwrap();
        assert_eq!(world.store.get(&blob.digest).unwrap(), None);
        assert!(!blob.path.exists(), "and removed");

        fs::write(&blob.path, damage).unwrap();
        let blob = world.fetch(&[server.mirror()], &wanted).unwrap();
        assert_eq!(fs::read(blob.path).unwrap(), data);
    }
    assert_eq!(server.requests().len(), 3);
    assert_eq!(
        world.told.warnings(),
        ["pool/main/a_1_amd64.deb was damaged in the cache and is fetched again"; 2]
    );
}

#[test]
fn leftovers_of_the_dead_are_removed_and_work_of_the_living_stays() {
    let world = World::new();
    let unfinished = world.cache.path().join("store/unfinished");
    let steps = world.cache.path().join("steps/unfinished");
    fs::create_dir_all(steps.join("erofs-dead/made")).unwrap();
    fs::create_dir_all(steps.join("erofs-living")).unwrap();
    let day = Duration::from_secs(24 * 3600);
    let old = |path: &std::path::Path, age| {
        File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap()
    };
    for (name, age) in [
        (".tmpdead", day),
        (".tmpliving", day),
        (".tmpyoung", day / 48),
        ("a.part", day),
        ("b.part", day * 15),
    ] {
        fs::write(unfinished.join(name), "x").unwrap();
        old(&unfinished.join(name), age);
    }
    let dead = steps.join("erofs-dead");
    let living =
        [File::open(unfinished.join(".tmpliving")).unwrap(), File::open(steps.join("erofs-living")).unwrap()];
    for file in &living {
        file.lock().unwrap();
    }
    old(&dead, day);
    old(&steps.join("erofs-living"), day);

    Store::open(world.cache.path()).unwrap();
    crate::Steps::open(world.cache.path()).unwrap();
    assert_eq!(super::world::files_below(&unfinished), [".tmpliving", ".tmpyoung", "a.part"]);
    assert!(!dead.exists() && steps.join("erofs-living").exists());

    world.store.clear().unwrap();
    assert_eq!(super::world::files_below(&unfinished), [".tmpliving"]);
}

#[test]
fn the_size_is_told_and_all_can_be_cleared() {
    let world = World::new();
    let blob = world.store.put_bytes(&bytes("a", 1000)).unwrap();
    world.store.put_bytes(&bytes("b", 500)).unwrap();
    assert_eq!(world.store.size().unwrap(), 1500);
    world.store.clear().unwrap();
    assert_eq!((world.store.size().unwrap(), world.store.get(&blob.digest).unwrap()), (0, None));
    world.store.put_bytes(b"again").unwrap();
}

#[test]
fn a_cache_that_is_a_file_is_refused() {
    let world = World::new();
    let file = world.cache.path().join("file");
    fs::write(&file, "").unwrap();
    let words = Store::open(&file).unwrap_err().to_string();
    assert!(words.starts_with(&format!("{}/store", file.display())) && words.contains("--cache"), "{words}");
}
