//! A link of 1 Mbit/s that drops every few seconds: it finishes, and what came is not fetched again.
#![allow(clippy::unwrap_used)]

#[path = "../../../slots/tests/cuts/gpt.rs"]
#[allow(dead_code)]
mod gpt;
#[path = "../supply/machine.rs"]
#[allow(dead_code)]
mod machine;
mod nginx;
#[path = "../supply/run.rs"]
#[allow(dead_code)]
mod run;
#[path = "../supply/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../supply/world.rs"]
#[allow(dead_code)]
mod world;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use run::Site;
use server::{Act, Ask, Server};
use world::{System, World, content, installed, untouched};

/// Bytes a second: 1 Mbit/s.
const RATE: u64 = 125_000;
const PIECE: u64 = 4096;
const DROP: Duration = Duration::from_secs(3);
/// An average chunk.
const CHUNK: u64 = 32 << 10;

#[derive(Default)]
struct Link {
    /// Bytes that went down it.
    brought: AtomicU64,
    drops: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

/// Stands between; gives its address.
fn link(to: String) -> (String, Arc<Link>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let link: Arc<Link> = Arc::default();
    let (dropping, accepting) = (link.clone(), link.clone());
    thread::spawn(move || {
        loop {
            thread::sleep(DROP);
            let open: Vec<TcpStream> = dropping.open.lock().unwrap().drain(..).collect();
            let alive = open.iter().filter(|stream| stream.shutdown(Shutdown::Both).is_ok()).count();
            dropping.drops.fetch_add(u64::from(alive > 0), Ordering::SeqCst);
        }
    });
    thread::spawn(move || {
        for down in listener.incoming().flatten() {
            let up = TcpStream::connect(to.trim_start_matches("http://")).unwrap();
            accepting.open.lock().unwrap().push(down.try_clone().unwrap());
            let (mut request, mut asked) = (down.try_clone().unwrap(), up.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut request, &mut asked);
                let _ = asked.shutdown(Shutdown::Both);
            });
            let link = accepting.clone();
            thread::spawn(move || bring(up, down, &link));
        }
    });
    (url, link)
}

/// Slowly.
fn bring(mut up: TcpStream, mut down: TcpStream, link: &Link) {
    let mut buffer = [0; PIECE as usize];
    while let Ok(count @ 1..) = up.read(&mut buffer) {
        if down.write_all(&buffer[..count]).is_err() {
            break;
        }
        link.brought.fetch_add(count as u64, Ordering::SeqCst);
        thread::sleep(Duration::from_micros(count as u64 * 1_000_000 / RATE));
    }
    let _ = down.shutdown(Shutdown::Both);
}

/// Bytes that were asked for, each once.
fn needed(asks: &[Ask], world: &World) -> u64 {
    let mut files: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
    for ask in asks {
        let size = std::fs::metadata(world.repo().join(&ask.path)).map_or(0, |file| file.len() as usize);
        let bytes = files.entry(&ask.path).or_insert_with(|| vec![false; size]);
        let (from, to) = ask.range.unwrap_or((0, None));
        let end = to.map_or(size, |to| (to + 1).min(size));
        bytes[from.min(end)..end].fill(true);
    }
    files.values().flatten().filter(|asked| **asked).count() as u64
}

#[test]
fn a_link_that_drops_every_few_seconds() {
    let world = World::shared();
    let mut site = Site::new(world);
    // It has nothing that would help.
    let strange = System::new(&site.path().join("strange"), "1.0.0", content(500, 3 << 20));
    world::device(&site.path(), world, &strange);
    site.running = strange.hash();
    // A curl that waits for this program, on a busy machine, has no dead link.
    site.limits.stall = Duration::from_secs(60);
    let server = Server::start(world.repo(), |_| Act::Serve);
    let (url, link) = link(server.url.clone());
    let done = site.install(&url);
    assert!(done.is_ok(), "{}", site.shown(&done));
    assert!(installed(&site.path(), &world.new) && untouched(&site.path(), &strange));

    let asks = server.log.lock().unwrap();
    let needed = needed(&asks, world);
    let heads = asks.len() as u64 * 200;
    let (brought, drops) = (link.brought.load(Ordering::SeqCst), link.drops.load(Ordering::SeqCst));
    let again = brought.saturating_sub(needed + heads);
    println!("{}", site.said().join("\n"));
    println!("{needed} bytes needed, {brought} brought, {again} of them again; {drops} drops");
    assert!(drops >= 4, "{drops} drops are no test");
    assert!(again <= drops * CHUNK, "{again} bytes again in {drops} drops");
}
