use super::message::{answer, question};
use super::*;

const RESOLV_CONF: &str = "\
nameserver 10.96.0.10
search default.svc.cluster.local svc.cluster.local cluster.local
options ndots:5
";

/// An answer to `question` with these records: type and data.
fn reply(question: &[u8], code: u8, records: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = question.to_vec();
    (bytes[2], bytes[3], bytes[7]) = (0x81, 0x80 | code, records.len() as u8);
    for (kind, data) in records {
        bytes.extend([0xc0, 12]);
        bytes.extend([*kind, 1, 0, 30, data.len() as u16].iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend(*data);
    }
    bytes
}

#[test]
fn resolv_conf_of_a_pod() {
    let resolver = Resolver::parse(RESOLV_CONF);
    assert_eq!((resolver.servers[0].to_string(), resolver.ndots), ("10.96.0.10:53".into(), 5));
    let names = ["web.default.svc.cluster.local", "web.svc.cluster.local", "web.cluster.local", "web"];
    assert_eq!(resolver.candidates("web"), names);
    assert_eq!(resolver.candidates("web.example."), ["web.example"]);
    let empty = Resolver::parse("# nothing\nnameserver nowhere\n");
    assert_eq!(empty.servers[0].to_string(), "127.0.0.1:53");
    assert_eq!(empty.candidates("web.example"), ["web.example"]);
}

#[test]
fn questions() {
    let bytes = question(0x1234, "a.bc", Kind::A).unwrap();
    assert_eq!(bytes, [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1]);
    for name in ["", "a..b", &"a".repeat(64), &["a"; 200].join(".")] {
        assert!(question(1, name, Kind::A).is_err(), "{name}");
    }
}

#[test]
fn answers() {
    let asked = question(7, "web.example", Kind::A).unwrap();
    let alias = b"\x03www\xc0\x10".as_slice();
    let good = reply(&asked, 0, &[(5, alias), (1, &[10, 0, 0, 1]), (1, &[10, 0, 0, 2])]);
    let addresses = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap());
    assert_eq!(answer(&good, 7, Kind::A), Ok(Answer::Addresses(addresses.to_vec())));
    assert_eq!(answer(&reply(&asked, 0, &[]), 7, Kind::A), Ok(Answer::Addresses(Vec::new())));
    assert_eq!(answer(&reply(&asked, 3, &[]), 7, Kind::A), Ok(Answer::NoSuchName));
    assert_eq!(answer(&reply(&asked, 2, &[]), 7, Kind::A), Err("it refuses with code 2".into()));
    assert_eq!(answer(&good, 8, Kind::A), Err("it answers another question".into()));
    // Cut anywhere, it is an error and no panic.
    for length in 0..good.len() {
        assert!(answer(&good[..length], 7, Kind::A).is_err(), "{length}");
    }
}

#[test]
fn a_name_server_on_loopback() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let resolver =
        Resolver { servers: vec![server.local_addr().unwrap()], search: vec!["svc".into()], ndots: 5 };
    std::thread::spawn(move || {
        let mut buffer = [0; LARGEST];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            let asked = &buffer[..length];
            let known = asked[HEADER..].starts_with(b"\x03web\x03svc\0\0\x01");
            let answer = match known {
                true => reply(asked, 0, &[(1, &[10, 96, 0, 1])]),
                false if asked[HEADER..].starts_with(b"\x03web\x03svc\0") => reply(asked, 0, &[]),
                false => reply(asked, 3, &[]),
            };
            server.send_to(&answer, from).unwrap();
        }
    });
    assert_eq!(resolver.resolve("web"), Ok(vec!["10.96.0.1".parse().unwrap()]));
    assert_eq!(resolver.resolve("db"), Err("`db` is not known to the name servers".into()));
}

const HEADER: usize = 12;
