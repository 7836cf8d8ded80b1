use super::*;

#[test]
fn requests_and_their_answers() {
    let cases = [
        ("GET / HTTP/1.1", 200, "hello from web-0, answer 7\n"),
        ("GET /?x=1 HTTP/1.1", 200, "hello from web-0, answer 7\n"),
        ("HEAD /healthz HTTP/1.1", 200, "ok\n"),
        ("GET /etc/passwd HTTP/1.1", 404, "there is / and /healthz\n"),
        ("POST / HTTP/1.1", 405, "only GET\n"),
        ("", 400, "this is no request\n"),
        ("\u{16}\u{3}", 400, "this is no request\n"),
    ];
    for (line, status, body) in cases {
        assert_eq!(answer(line, "web-0", || 7), (status, body.to_owned()), "{line}");
    }
}

#[test]
fn an_answer_says_how_long_it_is() {
    let text = String::from_utf8(response(404, "no\n")).unwrap();
    assert!(text.starts_with("HTTP/1.1 404 Not Found\r\n"), "{text}");
    assert!(text.contains("\r\nContent-Length: 3\r\n") && text.ends_with("\r\n\r\nno\n"), "{text}");
}

#[test]
fn a_conversation_on_loopback() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    converse(&listener.accept().unwrap().0).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("ok\n"), "{text}");
}
