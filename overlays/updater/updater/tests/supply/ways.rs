//! Which way is taken, and what is done when it turns out to be closed; limits that people set.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use geminios_updater::config::{Automatic, Window};
use geminios_updater::verbs::install::{Installed, Options};
use geminios_updater::verbs::session::Wanted;

use crate::run::Site;
use crate::server::{Act, Server};
use crate::world::{System, World, content, device, installed, start, untouched};

/// The running root is not what was published (its disk ages): what is made of it is noticed, and the rest fetched whole.
#[test]
fn a_damaged_old_root_is_not_built_upon() {
    let world = World::shared();
    let site = Site::new(world);
    let disk = File::options().write(true).open(site.path().join("disk")).unwrap();
    disk.write_all_at(&content(4, 300_000), start("root-a") + 5_000_000).unwrap();
    let server = Server::start(world.repo(), |_| Act::Serve);
    let done = site.install(&server.url);
    let text = site.shown(&done).replace(&server.url, "http://server");
    assert!(done.is_ok() && installed(&site.path(), &world.new), "{text}");
    insta::assert_snapshot!(text);
}

/// A device that shares much with the release, and that no delta is for.
fn between(world: &World) -> (Site, System) {
    let mut site = Site::new(world);
    let mut root = world.new.root.clone();
    root[5_000_000..5_100_000].copy_from_slice(&content(99, 100_000));
    let system = System::new(&site.path().join("between"), "1.0.0", root);
    device(&site.path(), world, &system);
    site.running = system.hash();
    (site, system)
}

#[test]
fn a_server_without_ranges_gives_whole_pieces() {
    let world = World::shared();
    let (site, system) = between(world);
    let server = Server::start(world.repo(), |ask| match ask.path.starts_with("blobs/") {
        true => Act::Whole,
        false => Act::Serve,
    });
    let done = site.install(&server.url);
    let text = site.shown(&done);
    assert!(done.is_ok() && installed(&site.path(), &world.new), "{text}");
    assert!(untouched(&site.path(), &system));
    assert!(text.contains("the server does not send parts of files; the rest is fetched whole"), "{text}");
}

/// A chunk that came damaged is fetched once more; if it stays so, it is named.
#[test]
fn chunks_that_come_damaged() {
    let world = World::shared();
    let spoil = |bytes: &mut Vec<u8>| bytes.iter_mut().for_each(|byte| *byte ^= 0x10);
    for times in [1, usize::MAX] {
        let (site, _) = between(world);
        let server = Server::start(world.repo(), move |ask| {
            if ask.range.is_none() || ask.before >= times {
                return Act::Serve;
            }
            let mut bytes = std::fs::read(World::shared().repo().join(&ask.path)).unwrap();
            spoil(&mut bytes);
            Act::Bytes(bytes)
        });
        let done = site.install(&server.url);
        let text = site.shown(&done);
        assert_eq!(done.is_ok(), times == 1, "{text}");
        assert_eq!(installed(&site.path(), &world.new), times == 1);
        assert!(times == 1 || text.contains("it does not unpack: chunk"), "{text}");
    }
}

fn automatic() -> Options {
    Options { wanted: Wanted { automatic: true, ..Wanted::default() }, ..Options::default() }
}

pub fn spent_today(site: &Site) -> u64 {
    let spent = std::fs::read_to_string(site.path().join("state/budget.json")).unwrap();
    spent.split(':').next_back().unwrap().trim_end_matches('}').parse().unwrap()
}

/// What one day's budget does not cover, the next days do. Nothing is fetched twice for it.
#[test]
fn a_budget_that_is_smaller_than_the_release() {
    let world = World::shared();
    let mut site = Site::new(world);
    let strange = System::new(&site.path().join("strange"), "1.0.0", content(500, 3 << 20));
    device(&site.path(), world, &strange);
    site.running = strange.hash();
    let server = Server::start(world.repo(), |_| Act::Serve);
    site.config.url = Some(server.url.clone());
    site.config.automatic = Automatic::Install;
    // Less than one piece, and nothing is claimed before the end of an image unless the run ends.
    site.config.budget = Some(300_000);
    site.progress = 1 << 30;
    let (mut days, mut spent) = (0, 0);
    let mut first = String::new();
    let done = loop {
        let done = site.install_with(&automatic());
        let text = site.shown(&done).replace(&server.url, "http://server");
        match done {
            Ok(done) => break done,
            Err(problem) => assert_eq!(problem.status(), 4, "{text}"),
        }
        // The same day once more: nothing is left of it.
        let again = site.install_with(&automatic());
        assert_eq!(again.as_ref().unwrap_err().status(), 4, "{}", site.shown(&again));
        if days == 0 {
            first = text;
        }
        site.said();
        days += 1;
        spent += spent_today(&site);
        site.now += 86_400;
        assert!(days < 20, "it does not get on");
    };
    assert_eq!(done, Installed { status: 0, restart: false });
    assert!(installed(&site.path(), &world.new) && days >= 5, "{days}");
    // 2.2 MiB, metadata each day, and what lay in a pipe when a run ended.
    spent += spent_today(&site);
    println!("{spent} bytes in {days} days and a bit");
    assert!(spent < 2_350_000 + (days + 1) * 40_000, "{spent}");
    insta::assert_snapshot!(first);
}

#[test]
fn only_in_its_window_and_only_as_far_as_the_settings_go() {
    let world = World::shared();
    let server = Server::start(world.repo(), |_| Act::Serve);
    let mut site = Site::new(world);
    site.config.url = Some(server.url.clone());
    let mut all = String::new();
    let mut row = |site: &Site, name: &str| {
        let done = site.install_with(&automatic());
        let text = site.shown(&done).replace(&server.url, "http://server");
        all += &format!("## {name}\n{text}\n");
    };
    for setting in [Automatic::Off, Automatic::Check] {
        site.config.automatic = setting;
        row(&site, &format!("automatic = {setting}"));
    }
    site.config.automatic = Automatic::InstallAndRestart;
    let window = |text: &str| Window::try_from(text.to_owned()).unwrap();
    site.config.windows = vec![window("Mon-Thu 01:00-05:00"), window("Fri 01:00-05:00")];
    row(&site, "on a Friday at noon");
    // The notes.
    assert_eq!(server.counts().keys().filter(|path| path.starts_with("blobs/")).count(), 1);
    site.config.windows.push(window("Fri 11:00-13:00"));
    row(&site, "with a window at noon");
    assert!(installed(&site.path(), &world.new));
    insta::assert_snapshot!(all);
}
