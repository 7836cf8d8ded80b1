//! Container registries: tokens, mirrors, manifests of unknown size, and blobs as any other download.

use std::fs;

use geminios_model::{BlobKind, Digest, ImageName};

use super::server::{Request, Server, cut, say, say_whole, serve};
use super::world::{World, bytes};
use crate::{FetchError, Fetcher, Registries, Want};

const SIZE: usize = 300_000;

/// An image of a registry on loopback.
fn image(server: &Server) -> ImageName {
    format!("{}/team/app:1.2", server.address()).parse().unwrap()
}

fn layer(server: &Server, data: &[u8]) -> Want {
    Want::of_image(&image(server), BlobKind::Layer, Digest::of(data), data.len() as u64)
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let named = |line: &&String| line.to_lowercase().starts_with(&format!("{name}: "));
    request.headers.iter().find(named).map(|line| &line[name.len() + 2..])
}

/// A registry that gives `data` to whoever has the token, and the token server beside it.
fn with_token(data: Vec<u8>) -> Server {
    let address = std::sync::Arc::new(std::sync::OnceLock::new());
    let own: std::sync::Arc<std::sync::OnceLock<String>> = address.clone();
    let server = Server::start(move |_, request, stream| {
        let authorized = header(request, "authorization") == Some("Bearer t0k/en");
        if request.line.starts_with("GET /token?") {
            let answer = b"{\"token\": \"t0k/en\", \"expires_in\": 60}";
            say_whole(stream, answer.len());
            drop(std::io::Write::write_all(stream, answer));
        } else if authorized {
            serve(&data, request, stream);
        } else {
            let challenge = format!(
                "Bearer realm=\"http://{}/token\",service=\"the registry\",scope=\"repository:team/app:pull,x\"",
                own.get().unwrap()
            );
            say(
                stream,
                &format!(
                    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n"
                ),
            );
        }
    });
    address.set(server.address().to_string()).unwrap();
    server
}

#[test]
fn a_blob_is_a_download_like_others() {
    let world = World::new();
    let data = bytes("layer", SIZE);
    let served = data.clone();
    let server = Server::start(move |n, request, stream| match n {
        0 => cut(&served, 100_000, stream),
        _ => serve(&served, request, stream),
    });
    let wanted = layer(&server, &data);
    let blobs = world.fetcher(&[]).blobs(std::slice::from_ref(&wanted), 2, &world.told).unwrap();
    assert_eq!(fs::read(&blobs[0].path).unwrap(), data);
    assert_eq!(server.ranges(), [None, Some(100_000)], "it goes on where it was cut");
    assert_eq!(server.requests()[0].line, format!("GET /v2/team/app/blobs/sha256:{}", wanted.digest));
}

#[test]
fn wrong_bytes_and_lacking_blobs_are_told_with_the_remedy_for_registries() {
    let data = bytes("layer", 1000);
    let evil = Server::good(&bytes("evil", 1000));
    let lacking = Server::status("404 Not Found");
    let closed = Server::status("401 Unauthorized");
    for (server, words) in [
        (&evil, ["and were thrown away", "do not trust that registry or mirror"]),
        (&lacking, ["it does not have the file", "whether the image's name and digest are right"]),
        (&closed, ["it answered with status 401", "skopeo copy --all docker://"]),
    ] {
        let world = World::new();
        let wanted = layer(server, &data);
        let error = world.fetcher(&[]).blobs(&[wanted], 1, &world.told).unwrap_err();
        assert!(matches!(error, FetchError::Failed { .. }), "an image is no package that left: {error}");
        let text = error.to_string();
        assert!(text.contains(&format!("was not fetched from registry {}", server.address())), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert_eq!(world.files(), [""; 0]);
    }
}

#[test]
fn a_token_is_asked_for_once_and_leads_nowhere_else() {
    let world = World::new();
    let data = bytes("layer", SIZE);
    let server = with_token(data.clone());
    let fetcher = world.fetcher(&[]);
    fetcher.blobs(&[layer(&server, &data)], 1, &world.told).unwrap();
    fs::remove_file(world.path(&Digest::of(&data))).unwrap();
    fetcher.blobs(&[layer(&server, &data)], 1, &world.told).unwrap();
    let lines: Vec<String> = server.requests().into_iter().map(|request| request.line).collect();
    let blob = format!("GET /v2/team/app/blobs/sha256:{}", Digest::of(&data));
    let token = "GET /token?service=the%20registry&scope=repository:team/app:pull%2Cx".to_owned();
    assert_eq!(lines, [blob.clone(), token, blob.clone(), blob]);
}

#[test]
fn a_blob_store_elsewhere_is_not_shown_the_token() {
    let world = World::new();
    let data = bytes("layer", SIZE);
    let elsewhere = Server::good(&data);
    let to = format!("http://localhost:{}/store", elsewhere.address().port());
    let registry = std::sync::Arc::new(std::sync::OnceLock::new());
    let own: std::sync::Arc<std::sync::OnceLock<String>> = registry.clone();
    let server = Server::start(move |_, request, stream| {
        if request.line.starts_with("GET /token?") {
            say_whole(stream, 21);
            drop(std::io::Write::write_all(stream, b"{\"access_token\": \"t\"}"));
        } else if header(request, "authorization").is_some() {
            let status = "HTTP/1.1 307 Temporary Redirect\r\n";
            say(stream, &format!("{status}Location: {to}\r\nContent-Length: 0\r\n"));
        } else {
            let realm = format!("Bearer realm=\"http://{}/token\"", own.get().unwrap());
            let status = "HTTP/1.1 401 Unauthorized\r\n";
            say(stream, &format!("{status}WWW-Authenticate: {realm}\r\nContent-Length: 0\r\n"));
        }
    });
    registry.set(server.address().to_string()).unwrap();
    world.fetcher(&[]).blobs(&[layer(&server, &data)], 1, &world.told).unwrap();
    assert_eq!(elsewhere.requests().len(), 1);
    assert_eq!(header(&elsewhere.requests()[0], "authorization"), None);
}

#[test]
fn a_token_server_that_refuses_is_named() {
    let world = World::new();
    let token = Server::status("403 Forbidden");
    let realm = format!("http://{}/token", token.address());
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"{realm}\"\r\nContent-Length: 0\r\n"
    );
    let server = Server::start(move |_, _, stream| say(stream, &answer));
    let error = world.fetcher(&[]).blobs(&[layer(&server, b"x")], 1, &world.told).unwrap_err().to_string();
    assert!(error.contains(&format!("its token server {realm} answered with status 403")), "{error}");
    assert!(error.contains("oci-archive:app.tar"), "{error}");
}

#[test]
fn a_manifest_comes_by_its_digest_alone_and_only_once() {
    let world = World::new();
    let manifest = b"{\"schemaVersion\": 2}";
    let (evil, good) = (Server::good(b"{\"schemaVersion\": 3}"), Server::good(manifest));
    let words = [&evil, &good].map(|server| format!("registry.example=http://{}/hub", server.address()));
    let fetcher = world.fetcher(&[]).with_registries(Registries::discover(&words, None).unwrap());
    let image: ImageName = "registry.example/team/app:1.2".parse().unwrap();
    let digest = Digest::of(manifest);
    for _ in 0..2 {
        assert_eq!(fetcher.manifest(&image, &digest).unwrap(), manifest);
    }
    let asked = &good.requests()[0];
    assert_eq!(asked.line, format!("GET /v2/hub/team/app/manifests/sha256:{digest}"));
    assert!(header(asked, "accept").unwrap().contains("application/vnd.oci.image.index.v1+json"));
    assert_eq!((evil.requests().len(), good.requests().len()), (1, 1));
    let offline = Fetcher::offline(world.store.clone());
    assert_eq!(offline.manifest(&image, &digest).unwrap(), manifest);
    let error = offline.manifest(&image, &Digest::of("")).unwrap_err().to_string();
    assert!(error.contains("is not in the cache, and --offline"), "{error}");
}

#[test]
fn where_a_registry_is_asked() {
    let words =
        ["http://cache.example:5000/", "quay.example=https://cache.example/v2/quay/"].map(String::from);
    let registries = Registries::discover(&words, Some("docker.io=http://unused.example")).unwrap();
    assert_eq!(
        registries.of("quay.example"),
        ["https://cache.example/v2/quay", "http://cache.example:5000/v2", "https://quay.example/v2"]
    );
    assert_eq!(
        registries.of("docker.io"),
        ["http://cache.example:5000/v2", "https://registry-1.docker.io/v2"]
    );
    let registries =
        Registries::discover(&[], Some("docker.io=http://one.example docker.io=http://two.example"));
    let registries = registries.unwrap();
    assert_eq!(
        registries.of("docker.io"),
        ["http://one.example/v2", "http://two.example/v2", "https://registry-1.docker.io/v2"]
    );
    let plain = ["localhost:5000", "127.0.0.2", "registry.example:5000"];
    assert_eq!(
        plain.map(|name| Registries::default().of(name).remove(0)),
        ["http://localhost:5000/v2", "http://127.0.0.2/v2", "https://registry.example:5000/v2"]
    );
    for bad in
        ["registry.example", "ftp://x.example", "x.example=file:///srv", "=http://x.example", "http://"]
    {
        let error = Registries::discover(&[bad.to_owned()], None).unwrap_err().to_string();
        assert!(error.contains("is not a mirror of registries") && error.contains("REGISTRY=URL"), "{error}");
    }
}
