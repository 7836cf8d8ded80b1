//! The service with those who do not behave, and with a disk that does not.
#![allow(clippy::unwrap_used)]

mod process;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use geminios_failover_witness::service::add::add_site;
use geminios_failover_witness::service::{Limits, Sites, serve};
use geminios_failover_witness::wire::{self, Ask, Question, Reply, Signed};
use geminios_failover_witness::{Error, Key, Register, Remote, Settings};
use tempfile::TempDir;

use process::{PROGRAM, Process, key, made, program, record};

const LONG: Duration = Duration::from_secs(60);

/// In this process, with other limits.
fn with(limits: Limits) -> (TempDir, SocketAddr) {
    let folder = made();
    let (sites, damaged) = Sites::open(folder.path(), &folder.path().join("keys")).unwrap();
    assert_eq!(damaged, [""; 0]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || serve(&listener, sites, limits));
    (folder, address)
}

fn http(question: &Signed) -> Vec<u8> {
    let mac: String = question.mac.iter().map(|byte| format!("{byte:02x}")).collect();
    let head = format!(
        "POST /v1 HTTP/1.1\r\n{}: {mac}\r\nContent-Length: {}\r\n\r\n",
        wire::MAC,
        question.body.len()
    );
    [head.as_bytes(), &question.body].concat()
}

fn ask(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    // A service that closes with something unread resets: what it said came before.
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn question(key: &Key, site: &str) -> Signed {
    let question = Question::new(site, Ask::Read).unwrap();
    wire::sign_question(key, serde_json::to_vec(&question).unwrap())
}

/// Without a word, before the test's patience ends.
fn is_closed(mut stream: TcpStream) -> bool {
    stream.set_read_timeout(Some(LONG)).unwrap();
    match stream.read(&mut [0]) {
        Ok(size) => size == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn who_is_not_known_learns_nothing() {
    let (folder, address) = with(Limits::default());
    let (good, bad) = (key(folder.path()), Key::random().unwrap());
    let wrong_key = ask(address, &http(&question(&bad, "hut")));
    assert!(wrong_key.starts_with(b"HTTP/1.1 403 "));
    for stranger in [
        question(&bad, "barn"),
        question(&good, "barn"),
        question(&good, "../hut"),
        wire::sign_question(&good, b"{".to_vec()),
        Signed { body: vec![b'['; 4096], mac: [0; 32] },
        wire::sign_reply(&good, &[0; 32], question(&good, "hut").body),
    ] {
        assert_eq!(ask(address, &http(&stranger)), wrong_key);
    }
    let mut changed = question(&good, "hut");
    let at = changed.body.len() - 3;
    changed.body[at] ^= 1;
    assert_eq!(ask(address, &http(&changed)), wrong_key);
}

#[test]
fn a_later_version_is_told_so() {
    let (folder, address) = with(Limits::default());
    let key = key(folder.path());
    let body = br#"{"version":2,"site":"hut","whatever":[]}"#.to_vec();
    let question = wire::sign_question(&key, body);
    let request = http(&question);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mac = head.lines().find_map(|line| line.strip_prefix("geminios-mac: ")).unwrap();
    let reply = Signed { body: body.as_bytes().to_vec(), mac: wire::parse_mac(mac.as_bytes()).unwrap() };
    assert!(wire::is_reply(&key, &question.mac, &reply));
    assert!(!wire::is_reply(&key, &[0; 32], &reply), "bound to its question");
    let reply = serde_json::from_slice(&reply.body).unwrap();
    assert!(matches!(&reply, Reply::NotUnderstood(why) if why.contains("version 1")), "{reply:?}");
}

#[test]
fn slow_ones_and_many_do_not_keep_others_out() {
    let quick = Duration::from_millis(200);
    let (folder, address) = with(Limits { connections: 8, from_one_address: 4, request: quick, idle: quick });
    let mut remote = Remote::new(&address.to_string(), "hut", key(folder.path()));
    remote.read(LONG).unwrap();
    // Silent, with half a head, with half a body: each is left after its time. The client's own connection is too.
    for begun in ["", "POST /v1 HT", "POST /v1 HTTP/1.1\r\ncontent-length: 9\r\ngeminios-mac: 00\r\n\r\n1"] {
        let mac = "0".repeat(64);
        let closed = ask(address, begun.replace("00", &mac).as_bytes());
        assert_eq!(String::from_utf8_lossy(&closed), "");
    }
    remote.read(LONG).unwrap();

    // One that sends a byte now and then, for ever.
    let mut slow = TcpStream::connect(address).unwrap();
    let sent = (0..2000).find(|_| {
        std::thread::sleep(Duration::from_millis(20));
        slow.write_all(b"P").is_err()
    });
    assert!(sent.is_some(), "it is never left");

    let many: Vec<_> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(many.into_iter().all(is_closed));
    let read = (0..50).find_map(|_| remote.read(LONG).ok());
    assert!(read.is_some());
}

#[test]
fn one_address_does_not_take_all() {
    let limits = Limits { connections: 8, from_one_address: 3, request: 10 * LONG, idle: LONG };
    let (folder, address) = with(limits);
    let hold: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(is_closed(TcpStream::connect(address).unwrap()));
    // From another address of this machine there is room.
    let from = Command::new("curl")
        .args([
            "-q",
            "-s",
            "--interface",
            "127.0.0.9",
            "--max-time",
            "30",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
        ])
        .arg(format!("http://{address}/v1"))
        .output();
    match from {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stdout), "405"),
        Err(error) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "curl: {error}");
            eprintln!("skipped: no curl on this host ({error})");
        }
    }
    drop((hold, folder));
}

#[test]
fn what_was_answered_outlives_a_kill() {
    let folder = made();
    let mut process = Process::start(&mut program(folder.path(), "127.0.0.1:0")).unwrap();
    let address = process.address.to_string();
    // The same client all the time: its connection is lost with each kill.
    let mut remote = Remote::new(&address, "hut", key(folder.path()));
    let mut held = remote.read(LONG).unwrap();
    for round in 1..=10 {
        let swapping = std::thread::scope(|scope| {
            let swapping = scope.spawn(|| {
                loop {
                    match remote.swap(held.tag, record(round), LONG) {
                        Ok(swapped) => held = swapped.held,
                        Err(_) => return held,
                    }
                }
            });
            std::thread::sleep(Duration::from_millis(100));
            process.kill();
            swapping.join().unwrap()
        });
        process = Process::start(&mut program(folder.path(), &address)).unwrap();
        let after = (0..3).find_map(|_| remote.read(LONG).ok()).unwrap();
        // The last swap's answer may be lost, not the swap before.
        assert!(after == swapping || after.tag >> 32 == (swapping.tag >> 32) + 1, "{after:?} {swapping:?}");
        held = after;
    }
    let second = Process::start(&mut program(folder.path(), "127.0.0.1:0")).err().unwrap();
    assert!(second.contains("another service keeps its registers there"), "{second}");
}

#[test]
fn a_full_disk_refuses_the_swap_and_keeps_the_record() {
    let folder = made();
    let (dir, keys) = (folder.path().join("small"), folder.path().join("keys"));
    std::fs::create_dir(&dir).unwrap();
    let script = "mount -t tmpfs -o size=16k small \"$2\" && cp \"$1/hut.register\" \"$2\" && \
                  exec \"$0\" serve --listen 127.0.0.1:0 --dir \"$2\" --sites \"$3\"";
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", script, PROGRAM]).args([folder.path(), &dir, &keys]);
    let process = match Process::start(&mut command) {
        Ok(process) => process,
        Err(reason) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "unshare: {reason}");
            eprintln!("skipped: no mount namespaces on this host ({reason})");
            return;
        }
    };
    let mut remote = Remote::new(&process.address.to_string(), "hut", key(folder.path()));
    let held = remote.read(LONG).unwrap();
    let held = remote.swap(held.tag, record(1), LONG).unwrap().held;
    let inside = PathBuf::from(format!("/proc/{}/root{}", process.child.id(), dir.display()));
    let filled = std::fs::write(inside.join("filler"), vec![0; 64 << 10]);
    assert!(filled.is_err(), "it is small");
    for _ in 0..3 {
        let swapped = remote.swap(held.tag, record(2), LONG);
        assert!(matches!(swapped, Err(Error::NotKept { .. })), "{swapped:?}");
        assert_eq!(remote.read(LONG).unwrap(), held);
    }
    std::fs::remove_file(inside.join("filler")).unwrap();
    assert!(remote.swap(held.tag, record(2), LONG).unwrap().done);
}

/// File, name and folder are on disk before the answer leaves.
#[test]
fn the_order_of_a_swap() {
    let folder = made();
    let trace = folder.path().join("trace");
    let mut command = Command::new("strace");
    // `-D`: the program is the child, and strace ends with it.
    command
        .args(["-D", "-f", "-y", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,sendto,write", "-o"])
        .arg(&trace);
    let inner = program(folder.path(), "127.0.0.1:0");
    command.arg(inner.get_program()).args(inner.get_args());
    let process = match Process::start(&mut command) {
        Ok(process) => process,
        Err(reason) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "strace: {reason}");
            eprintln!("skipped: strace cannot be used on this host ({reason})");
            return;
        }
    };
    let mut remote = Remote::new(&process.address.to_string(), "hut", key(folder.path()));
    let held = remote.read(LONG).unwrap();
    assert!(remote.swap(held.tag, record(1), LONG).unwrap().done);
    let swapped = |text: &str| text.find("hut.new").is_some_and(|from| text[from..].contains("HTTP/1.1 200"));
    // The line is written when the call has returned, which may be after the answer came.
    let read = || std::fs::read_to_string(&trace).unwrap();
    let text = (0..600).map(|_| read()).find(|text| {
        let there = swapped(text);
        std::thread::sleep(Duration::from_millis(if there { 0 } else { 100 }));
        there
    });
    let text = text.unwrap_or_else(|| panic!("no answer in {}", read()));
    let from = text.find("hut.new").unwrap();
    let steps: Vec<&str> = text[from..]
        .lines()
        .filter_map(|line| {
            let is = |call: &str, of: &str| line.contains(call) && line.contains(of);
            let folder = format!("{}>", folder.path().display());
            match () {
                () if is("sync(", "hut.new>") => Some("sync file"),
                () if is("rename", "hut.register") => Some("rename"),
                () if is("sync(", &folder) => Some("sync folder"),
                () if line.contains("HTTP/1.1 200") => Some("answer"),
                () => None,
            }
        })
        .collect();
    assert_eq!(steps, ["sync file", "rename", "sync folder", "answer"], "{text}");
}

#[test]
fn a_lost_register_is_not_made_anew_and_others_are_answered() {
    let folder = made();
    add_site("barn", folder.path(), &folder.path().join("keys")).unwrap();
    std::fs::remove_file(folder.path().join("hut.register")).unwrap();
    let process = Process::start(&mut program(folder.path(), "127.0.0.1:0")).unwrap();
    let address = process.address.to_string();
    let read = Remote::new(&address, "hut", key(folder.path())).read(LONG);
    assert!(
        matches!(&read, Err(Error::Damaged { problem, .. }) if problem.contains("no register")),
        "{read:?}"
    );
    let barn = Key::read(&folder.path().join("keys/barn.key")).unwrap();
    assert!(Remote::new(&address, "barn", barn).read(LONG).is_ok());
    assert!(!folder.path().join("hut.register").exists());
}

#[test]
fn sites_are_added_once_and_completed() {
    let folder = made();
    let keys = folder.path().join("keys");
    let add = |name: &str| add_site(name, folder.path(), &keys);
    assert!(add("hut").unwrap_err().contains("has a key already"));
    assert!(add("../hut").is_err());
    // Power went between register and key.
    std::fs::remove_file(keys.join("hut.key")).unwrap();
    add("hut").unwrap();
    // A register in use, whose key is lost.
    let process = Process::start(&mut program(folder.path(), "127.0.0.1:0")).unwrap();
    let mut remote = Remote::new(&process.address.to_string(), "hut", key(folder.path()));
    let held = remote.read(LONG).unwrap();
    remote.swap(held.tag, record(1), LONG).unwrap();
    std::fs::remove_file(keys.join("hut.key")).unwrap();
    assert!(add("hut").unwrap_err().contains("put the key back"));
}

#[test]
fn a_person_follows_the_help() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, keys) = (folder.path().join("d"), folder.path().join("k"));
    let mut add = Command::new(PROGRAM);
    add.args(["add-site", "hut"]).arg("--dir").arg(&dir).arg("--sites").arg(&keys);
    let said = String::from_utf8(add.output().unwrap().stdout).unwrap();
    assert!(said.contains(&format!("key       {}/hut.key", keys.display())), "{said}");
    let mut serve = Command::new(PROGRAM);
    serve.args(["serve", "--listen", "127.0.0.1:0"]).arg("--dir").arg(&dir).arg("--sites").arg(&keys);
    let process = Process::start(&mut serve).unwrap();
    let settings = folder.path().join("witness.toml");
    let key = keys.join("hut.key");
    let text = format!(
        "site = \"hut\"\n[service]\naddress = \"{}\"\nkey = \"{}\"\n",
        process.address,
        key.display()
    );
    std::fs::write(&settings, text).unwrap();
    let read = || Command::new(PROGRAM).arg("read").arg(&settings).output().unwrap();
    let said = String::from_utf8(read().stdout).unwrap();
    assert!(said.ends_with("record 0  epoch 0  nothing yet\n"), "{said}");
    let mut register = Settings::read(&settings).unwrap().open().unwrap();
    let held = register.read(LONG).unwrap();
    register.swap(held.tag, record(1), LONG).unwrap();
    let said = String::from_utf8(read().stdout).unwrap();
    assert!(said.ends_with("record 1  epoch 1  A leads, alone\n"), "{said}");

    let shared = folder.path().join("shared.toml");
    std::fs::write(&shared, format!("site = \"hut\"\n[folder]\npath = \"{}\"\n", folder.path().display()))
        .unwrap();
    let verb = |verb: &str| Command::new(PROGRAM).arg(verb).arg(&shared).output().unwrap();
    let missing = String::from_utf8(verb("read").stderr).unwrap();
    assert!(missing.contains("there is no register at"), "{missing}");
    assert!(verb("create").status.success());
    assert!(verb("read").status.success());
    assert!(!verb("create").status.success());
    assert_eq!(Command::new(PROGRAM).arg("dance").output().unwrap().status.code(), Some(2));
}
