//! Nothing of a bad mirror reaches the store, and the message says who was bad, and how.

use std::fs;
use std::io::Write;

use geminios_model::Digest;

use super::server::{Server, cut, nobody, say, say_whole, serve, stall};
use super::world::{World, bytes, hasty, want};
use crate::{Fault, FetchError, Patience};

const SIZE: usize = 200_000;

#[test]
fn wrong_bytes_of_one_mirror_are_replaced_by_good_ones_of_the_next() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let (bad, good) = (Server::good(&bytes("evil", SIZE)), Server::good(&data));
    let blob = world.fetch(&[bad.mirror(), good.mirror()], &want("a", &data)).unwrap();
    assert_eq!(fs::read(blob.path).unwrap(), data);
    assert_eq!(good.ranges(), [None], "nothing of the bad mirror is gone on with");
    assert_eq!(world.files(), [Digest::of(&data).to_string()]);
    assert!(world.told.warnings()[0].starts_with(&bad.mirror()), "{:?}", world.told.warnings());
}

#[test]
fn wrong_bytes_on_all_mirrors_are_an_error_that_names_all() {
    let world = World::new();
    let (data, evil) = (bytes("a", SIZE), bytes("evil", SIZE));
    let (one, two) = (Server::good(&evil), Server::good(&evil));
    let error = world.fetch(&[one.mirror(), two.mirror()], &want("a", &data)).unwrap_err();
    let why = format!(
        "its bytes are not the expected ones and were thrown away: digest {}, expected {}",
        Digest::of(&evil),
        Digest::of(&data)
    );
    assert_eq!(
        error.to_string(),
        format!(
            "pool/main/a_1_amd64.deb was not fetched from archive `debian`:\n  {}/pool/main/a_1_amd64.deb: {why}\n  {}/pool/main/a_1_amd64.deb: {why}\n  help: do not trust that mirror; give another with --mirror",
            one.mirror(),
            two.mirror()
        )
    );
    assert_eq!(world.files(), [""; 0]);
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

/// The second mirror is good, and its bytes go on after those of the first.
#[test]
fn a_bad_beginning_of_one_mirror_is_not_blamed_on_the_next() {
    let world = World::new();
    let (data, evil) = (bytes("a", SIZE), bytes("evil", SIZE));
    let (bad, good) = (Server::start(move |_, _, stream| cut(&evil, 100_000, stream)), Server::good(&data));
    let patience = Patience { tries: 1, ..hasty() };
    let blob = world.fetch_with(&[bad.mirror(), good.mirror()], &want("a", &data), patience).unwrap();
    assert_eq!(fs::read(blob.path).unwrap(), data);
    assert_eq!(good.ranges(), [Some(100_000), None]);
}

#[test]
fn not_one_byte_more_than_expected_is_taken() {
    let data = bytes("a", SIZE);
    let endless = Server::start(|_, _, stream| {
        say(stream, "HTTP/1.1 200 OK\r\n");
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    let larger = Server::good(&bytes("larger", SIZE + 1));
    let smaller = Server::good(&bytes("smaller", SIZE - 1));
    for (server, why) in [
        (&endless, "it sends more than 200000 bytes"),
        (&larger, "its file has 200001 bytes, expected 200000"),
        (&smaller, "its file has 199999 bytes, expected 200000"),
    ] {
        let world = World::new();
        let error = world.fetch(&[server.mirror()], &want("a", &data)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(world.files(), [""; 0]);
        assert_eq!(server.requests().len(), 1, "asking again changes nothing");
    }
}

#[test]
fn files_that_left_the_archive_are_named_all_at_once() {
    let world = World::new();
    let data = bytes("here", 1000);
    let served = data.clone();
    let has_one = Server::start(move |_, request, stream| match request.line.contains("here") {
        true => serve(&served, request, stream),
        false => say(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"),
    });
    let has_none = Server::status("410 Gone");
    let wants = [want("gone-b", b"b"), want("here", &data), want("gone-a", b"a")];
    let fetcher = world.fetcher(&[has_none.mirror(), has_one.mirror()]);
    let error = fetcher.blobs(&wants, 2, &world.told).unwrap_err();
    assert!(matches!(error, FetchError::Gone { .. }));
    assert_eq!(
        error.to_string(),
        "no mirror has these files any more; their versions have left the archive:\n  \
         pool/main/gone-a_1_amd64.deb (archive debian)\n  \
         pool/main/gone-b_1_amd64.deb (archive debian)\n  \
         help: move on to the versions that are there: geminios lock PROFILE --update gone-a gone-b"
    );
    assert_eq!(world.files(), [Digest::of(&data).to_string()], "what is there has come");
}

#[test]
fn a_file_is_not_gone_as_long_as_a_mirror_did_not_say_so() {
    let world = World::new();
    let lacking = Server::status("404 Not Found");
    let error = world.fetch(&[lacking.mirror(), nobody()], &want("a", b"a")).unwrap_err();
    let FetchError::Failed { tries, .. } = &error else { panic!("{error}") };
    assert!(matches!(
        tries[..],
        [crate::Try { fault: Fault::NotThere, .. }, crate::Try { fault: Fault::Connection(_), .. }]
    ));
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[test]
fn an_index_that_is_missing_is_not_a_package_that_is_gone() {
    let world = World::new();
    let server = Server::status("404 Not Found");
    let fetcher = world.fetcher(&[server.mirror()]);
    let digest = Digest::of("");
    for error in [
        fetcher.index("debian", "dists/trixy/InRelease", 100).unwrap_err(),
        fetcher.index_by_digest("debian", "dists/trixy/Packages.xz", &digest, 100).unwrap_err(),
    ] {
        assert!(error.to_string().contains("look whether the suite's name is right"), "{error}");
    }
}

#[test]
fn a_mirror_that_always_stands_still_is_named() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let served = data.clone();
    let server = Server::start(move |_, _, stream| stall(&served, 1000, stream));
    let error = world.fetch_with(&[server.mirror()], &want("a", &data), hasty()).unwrap_err();
    assert!(
        error.to_string().contains("cut off after 1000 of 200000 bytes: nothing came for 300ms"),
        "{error}"
    );
    assert!(
        error.to_string().ends_with("try again: what came is kept; or give another mirror with --mirror"),
        "{error}"
    );
}

#[test]
fn a_server_that_takes_the_connection_and_says_nothing_is_named() {
    let world = World::new();
    let server = Server::start(|_, _, _| std::thread::sleep(std::time::Duration::from_secs(60)));
    let patience = Patience { tries: 1, ..hasty() };
    let error = world.fetch_with(&[server.mirror()], &want("a", b"a"), patience).unwrap_err();
    assert!(error.to_string().contains("no answer for 300ms"), "{error}");
}

#[test]
fn redirects_in_a_circle_end() {
    let world = World::new();
    let server = Server::start(|_, _, stream| {
        say(stream, "HTTP/1.1 302 Found\r\nLocation: /debian/again\r\nContent-Length: 0\r\n");
    });
    let error = world.fetch(&[server.mirror()], &want("a", b"a")).unwrap_err();
    assert!(error.to_string().contains("it redirects in a circle, or too often"), "{error}");
    assert!(server.requests().len() <= 6, "{}", server.requests().len());
}

#[test]
fn what_is_no_http_is_an_error() {
    for answer in
        ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "\0\0\0\0\r\n\r\n"]
    {
        let world = World::new();
        let server = Server::start(move |_, _, stream| drop(stream.write_all(answer.as_bytes())));
        world.fetch(&[server.mirror()], &want("a", b"a")).unwrap_err();
        assert_eq!(world.files(), [""; 0], "{answer}");
    }
}

#[test]
fn a_path_never_leads_out_of_the_mirror() {
    let world = World::new();
    fs::write(world.cache.path().join("secret"), "x").unwrap();
    fs::create_dir(world.cache.path().join("debian")).unwrap();
    let mirror = format!("file://{}/debian", world.cache.path().display());
    for path in ["../secret", "a/../../secret", "/etc/passwd", "a//b", "./a", ""] {
        let wanted = crate::Want { path: path.into(), ..want("a", b"x") };
        let error = world.fetch(std::slice::from_ref(&mirror), &wanted).unwrap_err();
        assert!(matches!(error, FetchError::Path { .. }), "{path}: {error}");
        let index = world.fetcher(std::slice::from_ref(&mirror)).index("debian", path, 10);
        assert!(matches!(index, Err(FetchError::Path { .. })), "{path}");
    }
}

#[test]
fn no_password_stands_in_a_message() {
    let world = World::new();
    let server = Server::status("403 Forbidden");
    let mirror = server.mirror().replace("http://", "http://me:secret@");
    let error = world.fetch(&[mirror], &want("a", b"a")).unwrap_err();
    assert!(
        error.to_string().contains("it answered with status 403") && !error.to_string().contains("secret"),
        "{error}"
    );
    assert!(
        server.requests()[0].headers.iter().any(|h| h.to_lowercase().starts_with("authorization: basic"))
    );
}

#[test]
fn more_than_the_disk_holds_is_not_even_begun() {
    let world = World::new();
    let server = Server::good(b"");
    let wanted = crate::Want { size: 1 << 60, ..want("a", b"a") };
    let error = world.fetch(&[server.mirror()], &wanted).unwrap_err();
    assert!(matches!(error, FetchError::NoRoom { need, .. } if need == 1 << 60), "{error}");
    let words = error.to_string();
    assert!(
        words.starts_with(&*world.cache.path().to_string_lossy()) && words.contains("--cache"),
        "{words}"
    );
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn one_failure_for_good_stops_the_other_downloads() {
    let world = World::new();
    let server = Server::start(move |_, request, stream| match request.line.contains("bad") {
        true => serve(b"evil", request, stream),
        // Ends only because the client goes.
        false => {
            say_whole(stream, 1 << 30);
            while stream.write_all(&[0; 1000]).is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        }
    });
    let wants = [want("bad", b"good"), crate::Want { size: 1 << 30, ..want("endless", b"") }];
    let error = world.fetcher(&[server.mirror()]).blobs(&wants, 2, &world.told).unwrap_err();
    assert!(matches!(&error, FetchError::Failed { path, .. } if path.contains("bad")), "{error}");
}
