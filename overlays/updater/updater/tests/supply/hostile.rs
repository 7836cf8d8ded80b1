//! Servers and links that misbehave: what is borne with, and what ends the installation with its reason. Whatever they do, the
//! running system stays as it is.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::run::Site;
use crate::server::{Act, Ask, Server};
use crate::world::{World, installed, untouched};

fn is_blob(ask: &Ask) -> bool {
    ask.path.starts_with("blobs/")
}

/// Each once, at its first time.
fn once(act: Act) -> impl Fn(&Ask) -> Act {
    move |ask| if is_blob(ask) && ask.before == 0 { act.clone() } else { Act::Serve }
}

fn always(act: Act) -> impl Fn(&Ask) -> Act {
    move |ask| if is_blob(ask) { act.clone() } else { Act::Serve }
}

fn on(name: &'static str, act: Act) -> impl Fn(&Ask) -> Act {
    move |ask| if ask.path.contains(name) { act.clone() } else { Act::Serve }
}

fn run(rule: impl Fn(&Ask) -> Act + Send + Sync + 'static) -> (Site, Server, String, bool) {
    let world = World::shared();
    let server = Server::start(world.repo(), rule);
    let site = Site::new(world);
    let result = site.install(&server.url);
    let text = site.shown(&result).replace(&server.url, "http://server");
    assert!(untouched(&site.path(), &world.old), "{text}");
    let done = result.is_ok();
    assert_eq!(done, installed(&site.path(), &world.new), "{text}");
    (site, server, text, done)
}

type Rule = Box<dyn Fn(&Ask) -> Act + Send + Sync>;

#[test]
fn what_is_borne_with() {
    let flips: Mutex<HashMap<String, usize>> = Mutex::default();
    let rows: Vec<(&str, Rule)> = vec![
        ("every answer drops after 30000 bytes", Box::new(always(Act::Drop(30_000)))),
        ("every answer stalls once after 10000 bytes", Box::new(once(Act::Stall(10_000)))),
        (
            "a server that knows no ranges, and drops once",
            Box::new(|ask| match (is_blob(ask), ask.before) {
                (true, 0) => Act::Drop(20_000),
                (true, _) => Act::Whole,
                _ => Act::Serve,
            }),
        ),
        ("each blob has other bytes the first time", Box::new(once(Act::Bytes(vec![7; 500])))),
        (
            "each blob has half of its bytes the first time, without a length",
            Box::new(once(Act::Until(1000))),
        ),
        (
            "ranges begin elsewhere the first time",
            Box::new(|ask| match (is_blob(ask), ask.before) {
                (true, 0) => Act::Drop(2000),
                (true, 1) => Act::Shifted(5),
                _ => Act::Serve,
            }),
        ),
        ("more bytes than Content-Length says", Box::new(always(Act::Longer(5000)))),
        ("a body without an end, behind the right bytes", Box::new(once(Act::Endless))),
        (
            "503 at first, for everything",
            Box::new(|ask| if ask.before == 0 { Act::Status(503) } else { Act::Serve }),
        ),
        (
            "metadata that drops in its middle",
            Box::new(|ask| match (ask.path.starts_with("metadata/"), ask.before) {
                (true, 0) => Act::Drop(300),
                _ => Act::Serve,
            }),
        ),
        (
            "a bit of timestamp.json flips on the way",
            Box::new(move |ask| {
                let mut flips = flips.lock().unwrap();
                let count = flips.entry(ask.path.clone()).or_default();
                *count += 1;
                if *count == 1 && ask.path.ends_with("timestamp.json") {
                    let mut bytes = std::fs::read(World::shared().repo().join(&ask.path)).unwrap();
                    bytes[40] ^= 1;
                    return Act::Bytes(bytes);
                }
                Act::Serve
            }),
        ),
    ];
    for (name, rule) in rows {
        let (_, _, text, done) = run(rule);
        assert!(done, "{name}: {text}");
    }
}

#[test]
fn what_ends_it() {
    let bomb = vec![0x1f; 400];
    let rows: Vec<(&str, Rule)> = vec![
        ("a server that is not there at all", Box::new(always(Act::Drop(0)))),
        ("blobs stall for good", Box::new(always(Act::Stall(0)))),
        ("blobs are other bytes for good", Box::new(always(Act::Bytes(vec![7; 500])))),
        ("Content-Length is short of it", Box::new(always(Act::Says(-10)))),
        ("Content-Length is beyond it", Box::new(always(Act::Says(10)))),
        (
            "blobs are shorter, without a length",
            Box::new(|ask| match (is_blob(ask), ask.range) {
                (true, None) => Act::Until(1000),
                (true, _) => Act::Status(416),
                _ => Act::Serve,
            }),
        ),
        ("blobs are packed by the server", Box::new(always(Act::Gzip(bomb.clone())))),
        (
            "redirected to a local file",
            Box::new(on("timestamp", Act::Redirect("file:///etc/passwd".to_owned()))),
        ),
        (
            "redirected without end",
            Box::new(on("timestamp", Act::Redirect("/metadata/timestamp.json".to_owned()))),
        ),
        ("timestamp.json without an end", Box::new(on("timestamp", Act::Endless))),
        ("timestamp.json longer than it may be", Box::new(on("timestamp", Act::Bytes(vec![b' '; 20_000])))),
        ("timestamp.json packed by the server", Box::new(on("timestamp", Act::Gzip(bomb)))),
        ("snapshot.json without an end", Box::new(on("snapshot", Act::Endless))),
        ("release.json without an end", Box::new(on("release.json", Act::Endless))),
        ("nobody is let in", Box::new(|_| Act::Status(403))),
        ("no repository there", Box::new(on("metadata", Act::Status(404)))),
        ("the server is not well", Box::new(|_| Act::Status(500))),
        ("blobs are gone", Box::new(always(Act::Status(404)))),
        (
            "a page in the place of timestamp.json",
            Box::new(on("timestamp", Act::Bytes(b"<html>Log in</html>".to_vec()))),
        ),
    ];
    let mut all = String::new();
    for (name, rule) in rows {
        let (_, _, text, done) = run(rule);
        assert!(!done, "{name}: {text}");
        all += &format!("## {name}\n{}\n", named(&text));
    }
    insta::assert_snapshot!(all);
}

/// Digests as words: what they are is not the matter.
pub fn named(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() {
            digits.push(c);
            continue;
        }
        out += if digits.len() == 64 { "DIGEST" } else { &digits };
        digits.clear();
        out.push(c);
    }
    let mut out = out.trim_end().to_owned();
    // `blobs/AB/` before one.
    while let Some(at) = out.find("blobs/").filter(|at| out.as_bytes()[at + 8] == b'/') {
        out.replace_range(at..at + 9, "blob ");
    }
    out + "\n"
}

/// Nothing beyond the bounds is read, whatever a server sends; and content that changes between requests is noticed and taken anew.
#[test]
fn no_more_is_read_than_may_be() {
    let (site, _, _, _) = run(on("timestamp", Act::Endless));
    let bytes = crate::ways::spent_today(&site);
    // 16 KiB may come, and what one read brings beyond it.
    assert!(bytes < (16 << 10) + 2 * (64 << 10), "{bytes}");
}

/// Half of one file and half of another never become one: it is seen, and all of it fetched anew.
#[test]
fn content_that_changes_between_requests() {
    let (_, server, text, done) = run(|ask| match (is_blob(ask), ask.before) {
        (true, 0) => Act::Drop(100),
        (true, 1) => {
            let right = std::fs::read(World::shared().repo().join(&ask.path)).unwrap();
            Act::Bytes(right.iter().map(|byte| !byte).collect())
        }
        _ => Act::Serve,
    });
    assert!(done, "{text}");
    // Cut, mixed, and right; the smallest have no more than what comes before the cut.
    let size = |path: &str| std::fs::metadata(World::shared().repo().join(path)).unwrap().len();
    let counts = server.counts();
    let large = counts.iter().filter(|(path, _)| path.starts_with("blobs/") && size(path) > 1000);
    assert!(large.clone().count() > 2 && large.into_iter().all(|(_, count)| *count >= 3), "{counts:#?}");
}

/// Answers without a length come one by one: a cut body must not swallow the next answer.
#[test]
fn answers_without_a_length() {
    let (_, _, text, done) = run(|ask| match is_blob(ask) {
        true => Act::Until(70_000),
        false => Act::Serve,
    });
    assert!(done, "{text}");
}
