//! Who is not let in, and who is not believed: each with what to do.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;

use insta::assert_snapshot;

use crate::certificates::{Authority, OPERATORS, Of, VIEWERS};
use crate::site::Site;

#[test]
fn who_is_not_let_in() {
    let Some(site) = Site::new() else { return };
    let other = Authority::new();
    site.credentials("viewer", Of::Client(VIEWERS));
    site.credentials("stranger", Of::Client("system:masters"));
    site.credentials("ended", Of::Expired(OPERATORS));
    site.credentials("server", Of::Node);
    // Of another site, who knows this one's authority.
    other.place(&site.path("elsewhere"), "client", Of::Client(OPERATORS));
    fs::copy(site.path("viewer/ca.crt"), site.path("elsewhere/ca.crt")).unwrap();
    let told = [
        "failover A --credentials viewer",
        "status A --credentials stranger",
        "status A --credentials ended",
        "status A --credentials server",
        "status A --credentials elsewhere",
    ];
    assert_snapshot!("not_let_in", told.map(|words| site.told(words)).join("\n"));
    assert_eq!(site.scene.lock().unwrap().epoch, 7, "somebody handed over");
}

#[test]
fn who_is_not_believed() {
    let Some(site) = Site::of([Of::ExpiredNode, Of::OtherNode]) else { return };
    site.credentials("viewer", Of::Client(VIEWERS));
    Authority::new().place(&site.path("elsewhere"), "client", Of::Client(VIEWERS));
    let told = [
        "status A --credentials viewer",
        "status B --credentials viewer",
        "status B --credentials elsewhere",
        "status A B --credentials viewer",
    ];
    assert_snapshot!("not_believed", told.map(|words| site.told(words)).join("\n"));
}

#[test]
fn what_is_no_node() {
    let Some(mut site) = Site::new() else { return };
    site.credentials("viewer", Of::Client(VIEWERS));
    site.credentials("mixed", Of::Client(VIEWERS));
    fs::copy(site.path("viewer/client.key"), site.path("mixed/client.key")).unwrap();
    site.credentials("empty", Of::Client(VIEWERS));
    fs::write(site.path("empty/client.crt"), "").unwrap();
    site.credentials("keyless", Of::Client(VIEWERS));
    fs::write(site.path("keyless/client.key"), "-----BEGIN").unwrap();
    site.stop(0);
    let plain = TcpListener::bind(("127.0.0.1", site.ports[0])).unwrap();
    std::thread::spawn(move || {
        for mut stream in plain.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    site.stop(1);
    let told = [
        "status A --credentials viewer",
        "status B --credentials viewer",
        "status https://A --credentials viewer",
        "status A --credentials none",
        "status A --credentials mixed",
        "status A --credentials empty",
        "status A --credentials keyless",
        "status A",
        "failover --credentials viewer",
    ];
    let nowhere = site.told("status nowhere.invalid --credentials viewer");
    assert!(nowhere.contains("nowhere.invalid is not reached: "), "{nowhere}");
    assert_snapshot!("no_node", told.map(|words| site.told(words)).join("\n"));
}
