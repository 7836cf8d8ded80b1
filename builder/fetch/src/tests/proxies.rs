//! Proxies of the environment.

use super::server::{Server, say, serve};
use super::world::{World, bytes, want};
use crate::proxy::Proxies;

fn proxies(variables: &[(&str, String)]) -> Proxies {
    Proxies::from_environment(|name| {
        variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone())
    })
}

#[test]
fn plain_http_is_asked_for_by_its_whole_address() {
    let world = World::new();
    let data = bytes("a", 1000);
    let served = data.clone();
    let proxy = Server::start(move |_, request, stream| serve(&served, request, stream));
    let at = format!("http://me:secret@{}", proxy.address());
    let mut fetcher = world.fetcher(&["http://mirror.example/debian".into()]);
    fetcher.proxies = proxies(&[("http_proxy", at)]);
    fetcher.blobs(&[want("a", &data)], 1, &world.told).unwrap();

    let request = &proxy.requests()[0];
    assert_eq!(request.line, "GET http://mirror.example:80/debian/pool/main/a_1_amd64.deb");
    let has = |line: &str| request.headers.iter().any(|h| h.eq_ignore_ascii_case(line));
    assert!(
        has("host: mirror.example") && has("proxy-authorization: Basic bWU6c2VjcmV0"),
        "{:?}",
        request.headers
    );
}

#[test]
fn a_tunnel_is_asked_for_only_for_https() {
    let world = World::new();
    let proxy = Server::start(|_, _, stream| say(stream, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n"));
    let mut fetcher = world.fetcher(&["https://mirror.example/debian".into()]);
    fetcher.proxies = proxies(&[("HTTPS_PROXY", format!("http://{}", proxy.address()))]);
    let error = fetcher.blobs(&[want("a", b"a")], 1, &world.told).unwrap_err();
    assert_eq!(proxy.requests()[0].line, "CONNECT mirror.example:443");
    assert!(error.to_string().contains("the proxy does not let us through"), "{error}");
}

#[test]
fn no_proxy_goes_straight() {
    let world = World::new();
    let data = bytes("a", 1000);
    let (server, proxy) = (Server::good(&data), Server::status("403 Forbidden"));
    let mut fetcher = world.fetcher(&[server.mirror()]);
    fetcher.proxies = proxies(&[
        ("all_proxy", format!("http://{}", proxy.address())),
        ("no_proxy", "localhost, 127.0.0.1".into()),
    ]);
    fetcher.blobs(&[want("a", &data)], 1, &world.told).unwrap();
    assert_eq!((server.requests().len(), proxy.requests().len()), (1, 0));
}

#[test]
fn each_scheme_has_its_proxy() {
    let all = proxies(&[
        ("http_proxy", "http://one.example:3128".into()),
        ("HTTPS_PROXY", "two.example:3128".into()),
    ]);
    let host = |address: &str| all.of(address).map(|proxy| proxy.host().to_owned());
    assert_eq!(host("http://x.example/debian").as_deref(), Some("one.example"));
    assert_eq!(host("https://x.example/debian").as_deref(), Some("two.example"));
    assert!(proxies(&[("http_proxy", String::new())]).http.is_none());
}
