use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use geminios_failover_core::Record;
use geminios_failover_witness::{EMPTY, Error, Place, Register, S3, Secret};

use crate::bench::{Bench, Copy, LONG, SITE, put, record};
use crate::moto::Moto;
use crate::wire::{Mode, Wire};

pub struct Object {
    moto: &'static Moto,
    name: String,
    wire: Wire,
}

impl Object {
    pub fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let moto = Moto::get()?;
        let wire = Wire::to(SocketAddr::from(([127, 0, 0, 1], moto.http)));
        let name = format!("register-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let object = Object { moto, name, wire };
        object.s3().create(LONG).unwrap();
        Some(object)
    }

    fn place(&self) -> Place {
        Place {
            endpoint: format!("http://{}", self.wire.address),
            region: "eu-test-1".to_owned(),
            bucket: "witness".to_owned(),
            object: self.name.clone(),
            trusted: None,
        }
    }

    fn secret(&self) -> Secret {
        Secret { access_key: self.moto.access.clone(), secret_key: self.moto.secret.clone() }
    }

    fn s3(&self) -> S3 {
        S3::new(self.place(), self.secret(), SITE)
    }

    fn behind(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.moto.behind, self.name)
    }
}

impl Bench for Object {
    fn client(&self) -> Box<dyn Register> {
        Box::new(self.s3())
    }

    fn stranger(&self) -> Option<Box<dyn Register>> {
        let secret = Secret { secret_key: "another".to_owned(), ..self.secret() };
        Some(Box::new(S3::new(self.place(), secret, SITE)))
    }

    fn swaps(&self) -> usize {
        100
    }

    fn restart(&self) {}

    fn copy(&self) -> Copy {
        vec![(String::new(), ureq::get(self.behind()).call().unwrap().body_mut().read_to_vec().unwrap())]
    }

    fn put(&self, copy: &Copy) {
        match copy.first() {
            Some((_, text)) => ureq::put(self.behind()).send(&text[..]).unwrap(),
            None => ureq::delete(self.behind()).call().unwrap(),
        };
    }

    fn hang(&self, hang: bool) {
        self.wire.set(if hang { Mode::Hang } else { Mode::Pass });
    }

    fn wire(&self) -> Option<&Wire> {
        Some(&self.wire)
    }

    fn swap_and_lose(&self, client: &mut dyn Register, expected: u64, record: Record) {
        // It reads first, if it has to: only the swap itself is to be lost.
        client.swap(expected ^ 1, record, LONG).unwrap();
        self.wire.set(Mode::LoseAnswer);
        client.swap(expected, record, LONG).unwrap_err();
        self.wire.set(Mode::Pass);
    }
}

/// curl carries it.
#[test]
fn over_https() {
    let Some(object) = Object::new() else { return };
    let place = Place {
        endpoint: format!("https://localhost:{}", object.moto.https),
        trusted: Some(object.moto.certificate.clone()),
        object: "over \"https\"".to_owned(),
        ..object.place()
    };
    let mut client = S3::new(place.clone(), object.secret(), SITE);
    client.create(LONG).unwrap();
    assert!(matches!(client.create(LONG), Err(Error::NotKept { .. })));
    assert_eq!(client.read(LONG).unwrap().record, EMPTY);
    let held = put(&mut client, 1);
    assert_eq!(S3::new(place.clone(), object.secret(), SITE).read(LONG).unwrap(), held);
    let late = client.swap(held.tag ^ 1, record(2), LONG).unwrap();
    assert!(!late.done && late.held == held);

    let another = Secret { secret_key: "another".to_owned(), ..object.secret() };
    let refused = S3::new(place.clone(), another, SITE).read(LONG);
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    // A certificate that nobody vouches for.
    let distrusted = S3::new(Place { trusted: None, ..place.clone() }, object.secret(), SITE).read(LONG);
    assert!(matches!(distrusted, Err(Error::Unreachable { .. })), "{distrusted:?}");
    let begun = std::time::Instant::now();
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", mute.local_addr().unwrap());
    let hangs = S3::new(Place { endpoint, ..place }, object.secret(), SITE).read(Duration::from_millis(300));
    assert!(matches!(hangs, Err(Error::Unreachable { .. })), "{hangs:?}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// A server that says what it is told, each time for one request.
fn says(answers: Vec<String>) -> (Place, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place {
        endpoint: format!("http://{}", listener.local_addr().unwrap()),
        region: "r".to_owned(),
        bucket: "b".to_owned(),
        object: "o".to_owned(),
        trusted: None,
    };
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 8192];
            let size = stream.read(&mut bytes).unwrap();
            asked.push(String::from_utf8_lossy(&bytes[..size]).into_owned());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (place, thread)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
}

fn anybody() -> Secret {
    Secret { access_key: "a".to_owned(), secret_key: "s".to_owned() }
}

#[test]
fn a_store_that_ignores_conditions_is_no_witness() {
    let (place, thread) = says(vec![answer("200 OK", "ETag: \"1\"\r\n", "")]);
    let swapped = S3::new(place, anybody(), SITE).swap(1, record(1), LONG);
    assert!(matches!(swapped, Err(Error::Unfit { .. })), "{swapped:?}");
    let asked = thread.join().unwrap().concat().to_lowercase();
    assert!(asked.starts_with("put /b/o.probe ") && asked.contains("if-match"), "{asked}");
}

#[test]
fn a_wrong_clock_follows_the_stores() {
    let skewed = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    let date = "Date: Fri, 24 May 2013 00:00:00 GMT\r\n";
    let missing = "<Error><Code>NoSuchKey</Code></Error>";
    let answers = vec![answer("403 Forbidden", date, skewed), answer("404 Not Found", date, missing)];
    let (place, thread) = says(answers);
    let read = S3::new(place, anybody(), SITE).read(LONG);
    assert!(matches!(read, Err(Error::Missing { .. })), "{read:?}");
    let asked = thread.join().unwrap();
    assert!(!asked[0].contains("20130524T00") && asked[1].contains("20130524T00"), "{asked:?}");
}
