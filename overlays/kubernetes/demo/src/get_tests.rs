use super::*;

#[test]
fn addresses() {
    let cases = [
        ("http://web", Some(("web", 80, "/"))),
        ("http://web.default.svc:8080/healthz?x=1", Some(("web.default.svc", 8080, "/healthz?x=1"))),
        ("http://[::1]:8080/", Some(("[::1]", 8080, "/"))),
        ("http://[::1]", Some(("[::1]", 80, "/"))),
        ("https://web", None),
        ("http://", None),
        ("http://web:many/", None),
        ("http://web/ HTTP/1.1\r\nX: y", None),
    ];
    for (url, wanted) in cases {
        let found = parse(url).map(|address| (address.host, address.port, address.path));
        assert_eq!(found, wanted, "{url}");
    }
}

#[test]
fn answers() {
    assert_eq!(body(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nok\n"), Ok("ok\n".into()));
    let refused = body(b"HTTP/1.1 404 Not Found\r\n\r\nno\n").unwrap_err();
    assert_eq!(refused, "HTTP/1.1 404 Not Found\nno\n");
    for broken in [b"".as_slice(), b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 many\r\n\r\n"] {
        assert_eq!(body(broken), Err("the answer is not HTTP".into()));
    }
}
