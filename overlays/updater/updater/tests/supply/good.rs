//! What works: from every kind of supply, by each encoding, and on after a cut.

use std::fs;

use geminios_release::bundle::{self, Wanted as Bundled};
use geminios_updater::config::Automatic;
use geminios_updater::verbs::install::{Installed, Options};
use geminios_updater::verbs::session::Wanted;
use semver::Version;

use crate::run::Site;
use crate::server::{Act, Server};
use crate::world::{System, World, changed, installed, untouched};

const DONE: Installed = Installed { status: 0, restart: false };

fn all_well(site: &Site, world: &World) {
    assert!(installed(&site.path(), &world.new), "{:#?}", site.said());
    assert!(untouched(&site.path(), &world.old));
}

#[test]
fn from_a_folder_as_a_person_sees_it() {
    let world = World::shared();
    let site = Site::new(world);
    let from = world.repo().display().to_string();
    let mut text = site.shown(&site.check(&from));
    text += &site.shown(&site.install(&from));
    text += "--- again\n";
    text += &site.shown(&site.check(&from));
    text += &site.shown(&site.install(&from));
    insta::assert_snapshot!(text.replace(&from, "/repo"));
    all_well(&site, world);
}

/// One connection brings each image; nothing is asked for twice; a second poll costs the root and the timestamp.
#[test]
fn from_a_server() {
    let world = World::shared();
    let server = Server::start(world.repo(), |_| Act::Serve);
    let site = Site::new(world);
    assert_eq!(site.check(&server.url).unwrap(), 10);
    let metadata = ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"];
    let log = |from: usize| -> Vec<String> {
        server.log.lock().unwrap()[from..].iter().map(|ask| ask.path.clone()).collect()
    };
    let first = log(0);
    assert_eq!(first[..4], metadata.map(|name| format!("metadata/{name}")));

    let before = first.len();
    assert_eq!(site.install(&server.url).unwrap(), DONE);
    all_well(&site, world);
    let second = log(before);
    assert_eq!(second[..2], metadata[..2].iter().map(|name| format!("metadata/{name}")).collect::<Vec<_>>());
    assert!(second[2].starts_with("targets/edge/pc/1.1.0/"));
    let blobs = &second[3..];
    let mut unique = blobs.to_vec();
    unique.sort();
    unique.dedup();
    assert!(blobs.iter().all(|path| path.starts_with("blobs/")) && unique.len() == blobs.len());
    let connections = *server.connections.lock().unwrap();
    // One for each file of metadata, one for the notes, one for each image.
    assert_eq!(connections, first.len() + 3 + 3);
}

fn with_deltas(world: &World, deltas: &[Version], to: &std::path::Path) {
    let version = Version::new(1, 1, 0);
    let wanted = Bundled { profile: "edge", board: "pc", version: &version, deltas };
    bundle::write(&world.repository(), &wanted, &mut fs::File::create(to).unwrap()).unwrap();
}

/// Of a bundle without deltas the whole is taken, though the index lists deltas.
#[test]
fn from_a_bundle_with_and_without_deltas() {
    let world = World::shared();
    for (deltas, way) in [(vec![], "whole"), (vec![Version::new(1, 0, 0)], "as a change of what runs")] {
        let site = Site::new(world);
        let path = site.path().join("update.gemini");
        with_deltas(world, &deltas, &path);
        assert_eq!(site.install(&path.display().to_string()).unwrap(), DONE);
        assert!(site.said()[0].ends_with(way), "{way}");
        all_well(&site, world);
    }
}

/// A stick is taken by hand, and by the timer if the policy says so. The newest of what is on it counts.
#[test]
fn from_a_stick() {
    let world = World::shared();
    let mut site = Site::new(world);
    let stick = tempfile::tempdir().unwrap();
    assert_eq!(
        site.install("usb").unwrap_err().to_string().lines().next(),
        Some("no USB stick with a file *.gemini or a folder geminios is plugged in")
    );
    world.bundle(&stick.path().join("Update.GEMINI"));
    fs::write(stick.path().join("damaged.gemini"), "no bundle").unwrap();
    site.sticks = vec![stick.path().to_owned()];

    let automatic = Options { wanted: Wanted { automatic: true, ..Wanted::default() }, ..Options::default() };
    site.config.automatic = Automatic::InstallAndRestart;
    site.config.usb = false;
    assert!(
        site.install_with(&automatic).unwrap_err().to_string().starts_with("nobody said where releases are")
    );
    site.config.usb = true;
    site.said();
    let done = site.install_with(&automatic);
    assert!(done.as_ref().unwrap().restart);
    insta::assert_snapshot!(site.shown(&done));
    all_well(&site, world);

    let site = Site { sticks: site.sticks, ..Site::new(world) };
    assert_eq!(site.install("usb").unwrap(), DONE);
    all_well(&site, world);
}

/// A device whose version no delta is from takes what it lacks of the chunks.
#[test]
fn by_chunks_from_a_version_that_nobody_knows() {
    let world = World::shared();
    let mut site = Site::new(world);
    let between = System::new(&site.path().join("between"), "1.0.0", {
        let mut root = world.new.root.clone();
        root[5_000_000..5_100_000].copy_from_slice(&crate::world::content(99, 100_000));
        root
    });
    crate::world::device(&site.path(), world, &between);
    site.running = between.hash();
    let server = Server::start(world.repo(), |_| Act::Serve);
    let done = site.install(&server.url);
    assert_eq!(done.unwrap(), DONE);
    let said = site.said();
    assert!(said[0].contains("root what is not in the running system"), "{said:#?}");
    assert!(installed(&site.path(), &world.new) && untouched(&site.path(), &between));
    let parts = server.log.lock().unwrap().iter().filter(|ask| ask.range.is_some()).count();
    assert!(parts > 0);
}

/// The chunks' sizes are those by which a publisher cuts; else a device would find none of its own.
#[test]
fn chunks_are_cut_as_a_publisher_does() {
    use geminios_release::encode::{CHUNK, cuts};
    use geminios_updater::supply::OldImage;
    assert_eq!(geminios_updater::supply::CHUNK, [CHUNK.min, CHUNK.average, CHUNK.max]);
    let dir = tempfile::tempdir().unwrap();
    let bytes = changed(&crate::world::content(3, 3 << 20));
    fs::write(dir.path().join("x"), &bytes).unwrap();
    let theirs = cuts(&geminios_seal::Region::whole(&dir.path().join("x")).unwrap(), CHUNK).unwrap();
    let file = fs::File::open(dir.path().join("x")).unwrap();
    let size = bytes.len() as u64;
    let mut image = OldImage { reader: Box::new(file), start: 0, size };
    let wanted = theirs.iter().map(|cut| cut.id).collect();
    let ours = image.chunks(size, &wanted).unwrap();
    assert!(theirs.iter().all(|cut| ours.contains_key(&cut.id)) && theirs.len() > 50);
}

/// A run that was cut goes on where its claim ends, also by another way and from another supply.
#[test]
fn on_after_a_cut_from_another_supply() {
    let world = World::shared();
    let site = Site::new(world);
    // The link dies for good after two blobs.
    let first = Server::start(world.repo(), {
        let seen = std::sync::atomic::AtomicUsize::new(0);
        move |ask| match ask.path.starts_with("blobs/") {
            true if seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 2 => Act::Drop(0),
            _ => Act::Serve,
        }
    });
    assert_eq!(site.install(&first.url).unwrap_err().status(), 1);
    site.said();
    let bundle = site.path().join("b.gemini");
    world.bundle(&bundle);
    assert_eq!(site.install(&bundle.display().to_string()).unwrap(), DONE);
    let said = site.said();
    // Two of three pieces were there.
    assert!(
        said[0].contains("1.1.0 from") && !said.iter().any(|line| line.starts_with("root: 4.0 MiB")),
        "{said:#?}"
    );
    all_well(&site, world);
}
