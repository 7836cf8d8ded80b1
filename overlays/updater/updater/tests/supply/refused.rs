//! Repositories that are damaged, old or forged, and releases that are not for this device: refused with their reason, and the
//! running system stays as it is.

use std::fs;
use std::path::Path;

use geminios_release::bundle::{self, Wanted as Bundled};
use geminios_release::{Build, Lifetimes};
use geminios_update_format::time::{DAY, parse};
use geminios_updater::verbs::install::Options;
use semver::Version;

use crate::hostile::named;
use crate::run::{Site, from_place};
use crate::server::{Act, Server};
use crate::world::{NOW, ROOT_SIZE, System, World, content, copy, installed, untouched};

/// Tries to install from a folder or a bundle; gives what a person saw.
fn tried(site: &Site, world: &World, from: &Path) -> String {
    tried_with(site, world, from_place(&from.display().to_string()), from)
}

fn tried_with(site: &Site, world: &World, options: Options, from: &Path) -> String {
    let result = site.install_with(&options);
    let text = site.shown(&result).replace(&from.display().to_string(), "/repo");
    assert!(result.is_err(), "{text}");
    assert!(untouched(&site.path(), &world.old), "{text}");
    assert!(!site.path().join("esp/geminios_1.1.0+3.efi").exists(), "{text}");
    named(&text)
}

/// A changed copy of the repository.
fn spoiled(world: &World, change: impl FnOnce(&Path)) -> String {
    let site = Site::new(world);
    let repo = site.path().join("copy");
    world.copy(&repo);
    change(&repo);
    tried(&site, world, &repo)
}

fn find(dir: &Path, part: &str) -> std::path::PathBuf {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_string_lossy().contains(part) => return path,
                false => {}
            }
        }
    }
    panic!("no {part}")
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn files_that_are_not_what_was_signed() {
    let world = World::shared();
    let mut all = String::new();
    let mut row = |name: &str, text: String| all += &format!("## {name}\n{text}\n");
    for file in ["timestamp.json", "2.snapshot.json", "2.targets.json"] {
        let path = format!("metadata/{file}");
        row(
            &format!("a bit flipped in {file}"),
            spoiled(world, |repo| {
                edit(&repo.join(&path), |bytes| {
                    let at = bytes.windows(8).position(|text| text == b"\"version").unwrap();
                    bytes[at + 2] ^= 1;
                });
            }),
        );
        row(
            &format!("{file} cut"),
            spoiled(world, |repo| {
                edit(&repo.join(&path), |bytes| bytes.truncate(bytes.len() / 2));
            }),
        );
    }
    row(
        "release.json of the other version in its place",
        spoiled(world, |repo| {
            let other = find(&repo.join("targets/edge/pc/1.0.0"), "release.json");
            fs::copy(other, find(&repo.join("targets/edge/pc/1.1.0"), "release.json")).unwrap();
        }),
    );
    row(
        "no signature left",
        spoiled(world, |repo| {
            edit(&repo.join("metadata/timestamp.json"), |bytes| {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let (start, end) = (text.find("[{").unwrap(), text.find("}]").unwrap());
                *bytes = format!("{}[{}", &text[..start], &text[end + 1..]).into_bytes();
            });
        }),
    );
    row(
        "the first piece flipped",
        spoiled(world, |repo| {
            let piece = first_piece(world);
            edit(&repo.join(piece), |bytes| bytes[99] ^= 1);
        }),
    );
    row(
        "the first piece cut",
        spoiled(world, |repo| {
            let piece = first_piece(world);
            edit(&repo.join(piece), |bytes| bytes.truncate(100));
        }),
    );
    insta::assert_snapshot!(all);
}

fn first_piece(world: &World) -> String {
    let text = fs::read(find(&world.repo().join("targets/edge/pc/1.1.0"), "release.json")).unwrap();
    let release = geminios_update_format::release::Release::parse("release.json", &text).unwrap();
    release.root.deltas[0].pieces[0].blob.path()
}

#[test]
fn old_metadata_and_other_keys() {
    let world = World::empty();
    world.publish(&world.old.build, "stable");
    let site = Site::new(&world);
    let early = site.path().join("early");
    world.copy(&early);
    world.publish(&world.new.build, "stable");
    let mut all = String::new();
    let mut row = |name: &str, text: String| all += &format!("## {name}\n{text}\n");

    // The device has seen both; somebody shows it the first again.
    assert_eq!(site.check(&world.repo().display().to_string()).unwrap(), 10);
    site.said();
    row("old metadata replayed", tried(&site, &world, &early));

    let late = Site { now: NOW + 60 * DAY, ..Site::new(&world) };
    row("a repository that nobody keeps up", tried(&late, &world, &world.repo()));
    let wrong = Site { now: parse("2099-01-01T00:00:00Z").unwrap(), ..Site::new(&world) };
    row("a clock of 2099", tried(&wrong, &world, &world.repo()));

    let other = World::empty();
    other.publish(&other.new.build, "stable");
    row("another site's repository", tried(&Site::new(&world), &world, &other.repo()));

    // The state of trust is torn: the image's root counts, and the time at which it was built.
    let torn = Site::new(&world);
    assert_eq!(torn.check(&world.repo().display().to_string()).unwrap(), 10);
    edit(&torn.path().join("state/trust.json"), |bytes| bytes.truncate(bytes.len() / 2));
    torn.said();
    row("a torn state of trust, and another site's repository", tried(&torn, &world, &other.repo()));
    insta::assert_snapshot!(all);
}

/// A device without a clock goes by the time that was signed.
#[test]
fn a_clock_of_1970_is_no_reason() {
    let world = World::shared();
    let site = Site { now: 0, ..Site::new(world) };
    site.install(&world.repo().display().to_string()).unwrap();
    assert!(installed(&site.path(), &world.new));
}

#[test]
fn keys_that_were_rotated_away() {
    let world = World::empty();
    world.publish(&world.new.build, "stable");
    let site = Site::new(&world);
    let before = site.path().join("before");
    world.copy(&before);
    world.rotate();
    // The new root, and a timestamp by the key of before: not expired, and of a version not seen yet.
    fs::copy(world.repo().join("metadata/2.root.json"), before.join("metadata/2.root.json")).unwrap();
    let text = tried(&site, &world, &before);
    assert!(
        text.contains("0 of 1 needed signatures are valid for role timestamp of root version 2"),
        "{text}"
    );
    // What the new keys signed is taken by the device that has seen the new root.
    site.install(&world.repo().display().to_string()).unwrap();
    assert!(installed(&site.path(), &world.new));
}

#[test]
fn releases_that_are_not_for_this_device() {
    let world = World::empty();
    world.publish(&world.old.build, "stable");
    let mut all = String::new();
    let change = |version: &str, change: &dyn Fn(&mut Build)| {
        let mut build = world.new.build.clone();
        build.version = Version::parse(version).unwrap();
        change(&mut build);
        build
    };
    let rows: Vec<(&str, Build)> = vec![
        ("another architecture", change("2.0.0", &|build| build.arch = "arm64".to_owned())),
        ("Kubernetes skips a minor", change("2.1.0", &|build| build.data.kubernetes_minor = 36)),
        ("Kubernetes goes back by two", change("2.1.1", &|build| build.data.kubernetes_minor = 32)),
        ("PostgreSQL goes back", change("2.2.0", &|build| build.data.postgresql = 16)),
        ("PostgreSQL ahead, without a conversion", change("2.3.0", &|build| build.data.postgresql = 18)),
        ("Kine's schema unknown to it", change("2.4.0", &|build| build.data.kine_schema = 1)),
        ("too far from what runs", change("2.5.0", &|build| build.data.from = Some(Version::new(1, 0, 5)))),
        ("a newer updater is needed", change("2.6.0", &|build| build.updater = 2)),
    ];
    for (name, build) in rows {
        world.publish(&build, "edge");
        let mut site = Site::new(&world);
        if name.starts_with("Kine") {
            site.image.data.as_mut().unwrap().kine_schema = 2;
        }
        let server = Server::start(world.repo(), |_| Act::Serve);
        let mut options = from_place(&server.url);
        options.wanted.version = Some(build.version.clone());
        all += &format!("## {name}\n{}\n", tried_with(&site, &world, options, Path::new(&server.url)));
        // Before anything of it was fetched.
        assert!(server.counts().keys().all(|path| !path.starts_with("blobs/")), "{name}");
    }
    let site = Site::new(&world);
    let mut options = from_place(&world.repo().display().to_string());
    options.wanted.version = Some(Version::new(7, 0, 0));
    all += &format!("## no such version\n{}\n", tried_with(&site, &world, options, &world.repo()));
    insta::assert_snapshot!(all);
}

#[test]
fn a_device_that_cannot_take_it() {
    let world = World::shared();
    let mut all = String::new();
    let mut row = |name: &str, text: String| all += &format!("## {name}\n{text}\n");
    let repo = world.repo();
    row("a read-only ESP", tried(&Site { read_only: true, ..Site::new(world) }, world, &repo));
    row("a full ESP", tried(&Site { room: 300_000, ..Site::new(world) }, world, &repo));
    let site = Site { snapshot: Err("no room for a snapshot".to_owned()), ..Site::new(world) };
    row("no snapshot of the data", tried(&site, world, &repo));
    // The version runs, but on trial.
    let site = Site::new(world);
    fs::rename(site.path().join("esp/geminios_1.0.0.efi"), site.path().join("esp/geminios_1.0.0+2-1.efi"))
        .unwrap();
    let refused = site.install(&repo.display().to_string());
    row("what runs is not blessed", site.shown(&refused));
    fs::remove_file(site.path().join("var/journal")).unwrap();
    fs::rename(site.path().join("esp/geminios_1.0.0+2-1.efi"), site.path().join("esp/geminios_1.0.0.efi"))
        .unwrap();
    row("a firmware that may not count", tried(&site, world, &repo));
    let site = Site::new(world);
    fs::write(site.path().join("root.json"), "{}").unwrap();
    row("no root of trust", tried(&site, world, &repo));
    let site = Site::new(world);
    fs::create_dir_all(site.path().join("state/trust.json.new")).unwrap();
    row("a state that cannot be kept", tried(&site, world, &repo));
    insta::assert_snapshot!(all);

    let large = World::empty();
    let root = content(9, ROOT_SIZE + 4096);
    let large_system = System::new(large.dir.path(), "1.2.0", root);
    large.publish(&large_system.build, "stable");
    let text = tried(&Site::new(&large), &large, &large.repo());
    assert!(text.contains("root has 41947136 bytes, its partition 41943040"), "{text}");
}

/// Cut at any byte, a bundle is refused before anything is written.
#[test]
fn bundles_that_are_cut_or_forged() {
    let world = World::shared();
    let version = Version::new(1, 1, 0);
    let wanted = Bundled { profile: "edge", board: "pc", version: &version, deltas: &[] };
    let mut bytes = Vec::new();
    bundle::write(&world.repository(), &wanted, &mut bytes).unwrap();
    let site = Site::new(world);
    let path = site.path().join("update.gemini");
    let cuts = (0..40).map(|part| bytes.len() / 40 * part).chain([1, 511, 512, 600, bytes.len() - 1]);
    for cut in cuts {
        fs::write(&path, &bytes[..cut]).unwrap();
        let text = tried(&site, world, &path);
        assert!(text.contains("it is cut at byte") && text.ends_with("= status 3\n"), "{cut}: {text}");
    }
    for (name, by) in [("../../../etc/passwd", "path"), ("/etc/passwd", "path"), ("a//b", "path")] {
        let mut forged = geminios_update_format::bundle::header(name, 0).unwrap().to_vec();
        forged.extend(&bytes);
        fs::write(&path, &forged).unwrap();
        let text = tried(&site, world, &path);
        assert!(text.contains(by), "{text}");
    }
    // Nothing of it came to where it could be started.
    assert!(!site.path().join("state/budget.json").exists());
    copy(&site.path().join("esp"), &site.path().join("seen"));
    assert_eq!(fs::read_dir(site.path().join("seen")).unwrap().count(), 1);
}

impl World {
    fn rotate(&self) {
        use geminios_update_format::metadata::RoleName;
        let keys = self.dir.path().join("keys");
        geminios_release::keys::renew(&keys, RoleName::Timestamp).unwrap();
        let changes = [(RoleName::Timestamp, None)].into_iter().collect();
        self.repository().rotate(&self.keys(), &changes, NOW, &Lifetimes::default()).unwrap();
    }
}
