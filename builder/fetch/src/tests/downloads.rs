//! Downloads that come to a good end, whatever lies on the way.

use std::fs;
use std::io::Write;
use std::time::Duration;

use super::server::{Server, cut, nobody, say, say_whole, serve, stall};
use super::world::{World, bytes, hasty, want};
use crate::{FetchError, Patience};

const SIZE: usize = 300_000;

#[test]
fn files_come_in_the_order_of_the_wants_and_only_once() {
    let world = World::new();
    let mut wants: Vec<_> = (0..20).map(|i| want(&format!("p{i}"), &bytes(&format!("p{i}"), SIZE))).collect();
    wants.push(want("empty", b""));
    wants.push(wants[7].clone());
    let server = Server::of_names(SIZE);
    let fetcher = world.fetcher(&[server.mirror()]);

    let blobs = fetcher.blobs(&wants, 8, &world.told).unwrap();
    for (want, blob) in wants.iter().zip(&blobs) {
        assert_eq!((want.digest, want.size), (blob.digest, blob.size));
        assert_eq!(geminios_model::Digest::of(fs::read(&blob.path).unwrap()), want.digest);
    }
    // The empty file needs no server, and the one that is wanted twice is asked for once.
    assert_eq!(server.requests().len(), 20);
    assert_eq!(world.told.advanced(), *world.told.total.lock().unwrap());

    assert_eq!(fetcher.blobs(&wants, 8, &world.told).unwrap(), blobs);
    assert_eq!(server.requests().len(), 20);
}

#[test]
fn a_download_cut_in_mid_file_goes_on_where_it_was_cut() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let served = data.clone();
    let server = Server::start(move |n, request, stream| match n {
        0 => cut(&served, 100_000, stream),
        _ => serve(&served, request, stream),
    });
    let blob = world.fetch(&[server.mirror()], &want("a", &data)).unwrap();
    assert_eq!(fs::read(blob.path).unwrap(), data);
    assert_eq!(server.ranges(), [None, Some(100_000)]);
    assert_eq!(world.told.advanced(), SIZE as u64);
    assert!(
        world.told.warnings()[0].contains("cut off after 100000 of 300000 bytes"),
        "{:?}",
        world.told.warnings()
    );
}

#[test]
fn the_next_run_goes_on_where_the_last_one_was_cut() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let served = data.clone();
    let server = Server::start(move |n, request, stream| match n {
        0 => cut(&served, 70_000, stream),
        _ => serve(&served, request, stream),
    });
    let wanted = want("a", &data);
    let once = Patience { tries: 1, ..hasty() };
    world.fetch_with(&[server.mirror()], &wanted, once).unwrap_err();
    assert_eq!(fs::metadata(world.part(&wanted.digest)).unwrap().len(), 70_000);

    world.fetch_with(&[server.mirror()], &wanted, once).unwrap();
    assert_eq!(server.ranges(), [None, Some(70_000)]);
    assert_eq!(world.files(), [wanted.digest.to_string()], "nothing unfinished is left");
}

#[test]
fn many_cuts_are_no_failure_as_long_as_bytes_come() {
    let world = World::new();
    let data = bytes("a", 1 << 20);
    let served = data.clone();
    let server = Server::start(move |_, request, stream| {
        let end = (request.from.unwrap_or(0) + 70_000).min(served.len());
        let whole = served.len();
        match request.from {
            None => cut(&served, end, stream),
            Some(from) => {
                let range = format!("Content-Range: bytes {from}-{}/{whole}\r\n", whole - 1);
                say(
                    stream,
                    &format!("HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n{range}", whole - from),
                );
                drop(stream.write_all(&served[from..end]));
            }
        }
    });
    world.fetch(&[server.mirror()], &want("a", &data)).unwrap();
    assert!(server.requests().len() > hasty().tries as usize);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let served = data.clone();
    let server = Server::start(move |n, _, stream| match n {
        0 => cut(&served, 100_000, stream),
        _ => {
            say_whole(stream, served.len());
            drop(stream.write_all(&served));
        }
    });
    let blob = world.fetch(&[server.mirror()], &want("a", &data)).unwrap();
    assert_eq!(fs::read(blob.path).unwrap(), data);
    assert_eq!(server.ranges(), [None, Some(100_000)]);
    assert_eq!(world.told.advanced(), SIZE as u64, "bytes that come again are not counted again");
}

/// What the server says it sends, when asked for the bytes from 100000 on.
#[test]
fn a_lie_in_content_range_is_noticed_and_the_file_asked_for_as_a_whole() {
    for lie in [
        "Content-Range: bytes 0-299999/300000\r\n",
        "Content-Range: bytes 99999-299999/300000\r\n",
        "Content-Range: bytes 100000-299999/300001\r\n",
        "Content-Range: bytes 100000-200000/300000\r\n",
        "Content-Range: 100000\r\n",
        "",
    ] {
        let world = World::new();
        let data = bytes("a", SIZE);
        let served = data.clone();
        let server = Server::start(move |n, request, stream| match n {
            0 => cut(&served, 100_000, stream),
            1 => {
                say(stream, &format!("HTTP/1.1 206 Partial Content\r\nContent-Length: 200000\r\n{lie}"));
                drop(stream.write_all(&served[..200_000]));
            }
            _ => serve(&served, request, stream),
        });
        let blob = world.fetch(&[server.mirror()], &want("a", &data)).unwrap();
        assert_eq!(fs::read(blob.path).unwrap(), data, "{lie}");
        assert_eq!(server.ranges(), [None, Some(100_000), None], "{lie}");
    }
}

#[test]
fn a_range_that_cannot_be_satisfied_starts_over() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let served = data.clone();
    let server = Server::start(move |_, request, stream| match request.from {
        Some(_) => say(stream, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n"),
        None => serve(&served, request, stream),
    });
    let wanted = want("a", &data);
    fs::write(world.part(&wanted.digest), &data[..1000]).unwrap();
    world.fetch(&[server.mirror()], &wanted).unwrap();
    assert_eq!(server.ranges(), [Some(1000), None]);
}

/// Left by a power cut, or begun at a bad mirror.
#[test]
fn spoilt_bytes_of_an_earlier_run_are_thrown_away_without_blaming_the_mirror() {
    let data = bytes("a", SIZE);
    let wanted = want("a", &data);
    for (left, ranges) in [
        (vec![0; 1000], vec![Some(1000), None]),
        (vec![0; SIZE], vec![None]),
        (vec![0; SIZE + 1], vec![None]),
        (data.clone(), vec![]),
    ] {
        let world = World::new();
        let server = Server::good(&data);
        fs::write(world.part(&wanted.digest), &left).unwrap();
        let blob = world.fetch(&[server.mirror()], &wanted).unwrap();
        assert_eq!(fs::read(blob.path).unwrap(), data);
        assert_eq!(server.ranges(), ranges, "{} bytes were left", left.len());
    }
}

/// All of it takes much longer than the patience for any one byte.
#[test]
fn a_slow_link_that_moves_is_a_good_link() {
    let world = World::new();
    let data = bytes("a", 30_000);
    let served = data.clone();
    let server = Server::start(move |_, _, stream| {
        say_whole(stream, served.len());
        for chunk in served.chunks(1000) {
            drop(stream.write_all(chunk));
            std::thread::sleep(Duration::from_millis(150));
        }
    });
    let patience =
        Patience { connect: Duration::from_secs(3), stall: Duration::from_secs(3), tries: 1, ..hasty() };
    world.fetch_with(&[server.mirror()], &want("a", &data), patience).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_download_that_stands_still_is_begun_again() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let served = data.clone();
    let server = Server::start(move |n, request, stream| match n {
        0 => stall(&served, 100_000, stream),
        _ => serve(&served, request, stream),
    });
    world.fetch_with(&[server.mirror()], &want("a", &data), hasty()).unwrap();
    assert_eq!(server.ranges()[..2], [None, Some(100_000)]);
    assert!(world.told.warnings()[0].contains("nothing came for 300ms"), "{:?}", world.told.warnings());
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let world = World::new();
    let data = bytes("a", 1000);
    let served = data.clone();
    let server = Server::start(move |n, request, stream| match n {
        0 => say(stream, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"),
        1 => {}
        _ => serve(&served, request, stream),
    });
    world.fetch(&[server.mirror()], &want("a", &data)).unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_mirror_that_cannot_be_reached_is_given_up_for_the_next() {
    let world = World::new();
    let server = Server::of_names(1000);
    let wants = ["a", "b", "c"].map(|name| want(name, &bytes(name, 1000)));
    world.fetcher(&[nobody(), server.mirror()]).blobs(&wants, 1, &world.told).unwrap();
    assert_eq!(server.requests().len(), 3);
    let again = world.told.warnings().iter().filter(|text| text.contains("trying again")).count();
    assert_eq!(
        again,
        hasty().tries as usize - 1,
        "once it is known to be down, nobody waits for it any more"
    );
}

#[test]
fn a_redirect_is_followed_and_names_are_encoded() {
    let world = World::new();
    let data = bytes("libstdc++6", 1000);
    let good = Server::good(&data);
    let to = good.mirror();
    let server = Server::start(move |_, _, stream| {
        say(stream, &format!("HTTP/1.1 302 Found\r\nLocation: {to}/elsewhere\r\nContent-Length: 0\r\n"));
    });
    world.fetch(&[server.mirror()], &want("libstdc++6", &data)).unwrap();
    assert_eq!(server.requests()[0].line, "GET /debian/pool/main/libstdc%2B%2B6_1_amd64.deb");
    assert_eq!(good.requests()[0].line, "GET /debian/elsewhere");
}

#[test]
fn a_folder_is_a_mirror_too() {
    let world = World::new();
    let data = bytes("a", SIZE);
    let wanted = want("a", &data);
    let mirror = world.cache.path().join("my mirror/debian");
    fs::create_dir_all(mirror.join("pool/main")).unwrap();
    fs::write(mirror.join(&wanted.path), &data).unwrap();
    let address = format!("file://{}", mirror.display()).replace(' ', "%20");

    let blob = world.fetch(std::slice::from_ref(&address), &wanted).unwrap();
    assert_eq!(fs::read(blob.path).unwrap(), data);

    let fetcher = world.fetcher(&[address]);
    assert_eq!(fetcher.index("debian", &wanted.path, SIZE as u64).unwrap(), data);
    let lost = want("lost", b"lost");
    let error = fetcher.blobs(&[lost], 1, &world.told).unwrap_err();
    assert!(matches!(error, FetchError::Gone { .. }), "{error}");
}

#[test]
fn an_index_is_fetched_whole_or_not_at_all() {
    let world = World::new();
    let data = bytes("InRelease", 5000);
    let served = data.clone();
    let server = Server::start(move |n, request, stream| match n {
        0 => cut(&served, 100, stream),
        _ => serve(&served, request, stream),
    });
    let fetcher = world.fetcher(&[nobody(), server.mirror()]);
    assert_eq!(fetcher.index("debian", "dists/trixie/InRelease", 5000).unwrap(), data);
    let error = fetcher.index("debian", "dists/trixie/InRelease", 4999).unwrap_err();
    assert!(error.to_string().contains("it sends more than 4999 bytes"), "{error}");
    assert_eq!(world.files(), [""; 0]);
}

#[test]
fn an_index_with_a_digest_goes_through_the_store() {
    let world = World::new();
    let data = bytes("Packages.xz", 5000);
    let server = Server::good(&data);
    let fetcher = world.fetcher(&[server.mirror()]);
    let digest = geminios_model::Digest::of(&data);
    for _ in 0..2 {
        assert_eq!(
            fetcher.index_by_digest("debian", "dists/trixie/Packages.xz", &digest, 5000).unwrap(),
            data
        );
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn without_a_network_the_store_is_enough() {
    let world = World::new();
    let (data, lost) = (bytes("a", 1000), bytes("b", 1000));
    world.store.put_bytes(&data).unwrap();
    let fetcher = crate::Fetcher::offline(world.store.clone());
    assert_eq!(fetcher.blobs(&[want("a", &data)], 1, &world.told).unwrap().len(), 1);
    let error = fetcher.blobs(&[want("b", &lost)], 1, &world.told).unwrap_err();
    assert!(
        error.to_string().starts_with("pool/main/b_1_amd64.deb is not in the cache, and --offline"),
        "{error}"
    );
    assert!(matches!(fetcher.index("debian", "x", 1), Err(FetchError::Offline { .. })));
}
