//! A BMC for tests, over TLS: by itself it does what DSP0266 says; a test tells where it does something else.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use geminios_failover_hands::fence::{Login, Redfish, System, Trust};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const PASSWORD: &str = "se\\cret \"wörd\" #1";

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: String,
    pub body: Vec<u8>,
}

pub enum Reply {
    Json(u16, Value),
    /// Bytes as they are, then the connection ends.
    Raw(Vec<u8>),
    /// No answer while the client waits.
    Hang,
    /// An answer that never ends.
    Endless,
}

/// None: as it should be.
pub type Mood = Box<dyn Fn(&Request, &Machine) -> Option<Reply> + Send + Sync>;

#[derive(Default)]
pub struct Machine {
    pub off: AtomicBool,
    pub resets: AtomicUsize,
    pub asked: Mutex<Vec<Request>>,
}

pub struct Bmc {
    pub origin: String,
    pub machine: Arc<Machine>,
    pub folder: tempfile::TempDir,
    pin: String,
    stop: Arc<AtomicBool>,
}

impl Bmc {
    pub fn good() -> Self {
        Bmc::new(|_, _| None)
    }

    pub fn new(mood: impl Fn(&Request, &Machine) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), cert.pem()).unwrap();
        secret(folder.path().join("credentials"), &format!("root\n{PASSWORD}\n"));
        let pin = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&signing_key));
        let pin = format!("sha256//{}", BASE64_STANDARD.encode(pin));
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![cert.der().clone()], key).unwrap());

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("https://{}", listener.local_addr().unwrap());
        let (machine, stop) = (Arc::new(Machine::default()), Arc::new(AtomicBool::new(false)));
        let mood: Arc<Mood> = Arc::new(Box::new(mood));
        std::thread::spawn({
            let (machine, stop) = (Arc::clone(&machine), Arc::clone(&stop));
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (config, machine) = (Arc::clone(&config), Arc::clone(&machine));
                    let (mood, stop) = (Arc::clone(&mood), Arc::clone(&stop));
                    std::thread::spawn(move || serve(stream, config, &machine, &mood, &stop));
                }
            }
        });
        Bmc { origin, machine, folder, pin, stop }
    }

    /// How the agent is told of it; a test changes what it is about.
    pub fn system(&self) -> System {
        System {
            origin: self.origin.clone(),
            path: None,
            trust: Trust::Authority(self.folder.path().join("ca.pem")),
            login: Login::Basic,
            credentials: self.folder.path().join("credentials"),
            curl: "curl".into(),
        }
    }

    pub fn fence(&self) -> Redfish {
        Redfish::new(self.system()).unwrap()
    }

    pub fn pin(&self) -> Trust {
        Trust::PublicKey(self.pin.clone())
    }

    pub fn resets(&self) -> usize {
        self.machine.resets.load(Ordering::Relaxed)
    }

    /// The first lines of all requests.
    pub fn asked(&self) -> Vec<String> {
        self.machine.asked.lock().unwrap().iter().map(|request| request.line.clone()).collect()
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // So that it looks.
        let _ = TcpStream::connect(self.origin.strip_prefix("https://").unwrap());
    }
}

pub fn secret(path: PathBuf, text: &str) {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new();
    let mut file = file.write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, machine: &Machine, mood: &Mood, stop: &AtomicBool) {
    let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut tls = BufReader::new(tls);
    let Ok(request) = read(&mut tls) else { return };
    machine.asked.lock().unwrap().push(request.clone());
    let reply = mood(&request, machine).unwrap_or_else(|| good(&request, machine));
    let tls = tls.get_mut();
    let bytes = match reply {
        Reply::Json(status, body) => answer(status, "", &body),
        Reply::Raw(bytes) => bytes,
        Reply::Hang => {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            return;
        }
        Reply::Endless => {
            let _ = tls.write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"PowerState\": \"Off\"",
            );
            while tls.write_all(&[b' '; 16384]).is_ok() {}
            return;
        }
    };
    let _ = tls.write_all(&bytes);
    tls.conn.send_close_notify();
    let _ = tls.flush();
}

pub fn answer(status: u16, headers: &str, body: &Value) -> Vec<u8> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
        .into_bytes()
}

fn read(stream: &mut impl BufRead) -> std::io::Result<Request> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut headers = String::new();
    while !headers.ends_with("\r\n\r\n") {
        if stream.read_line(&mut headers)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if headers == "\r\n" {
            break;
        }
    }
    let length = header(&headers, "content-length").map_or(0, |value| value.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Request {
        line: line.trim_end().strip_suffix(" HTTP/1.1").unwrap_or_default().to_owned(),
        headers,
        body,
    })
}

pub fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = headers.lines().filter_map(|line| line.split_once(": "));
    Some(pairs.find(|(found, _)| found.eq_ignore_ascii_case(name))?.1)
}

pub const SYSTEM: &str = "/redfish/v1/Systems/one";
pub const RESET: &str = "POST /redfish/v1/Systems/one/Actions/ComputerSystem.Reset";

/// What a system says of itself.
pub fn system(power: &str) -> Value {
    let target = format!("{SYSTEM}/Actions/ComputerSystem.Reset");
    let allowed = ["On", "ForceOff", "GracefulShutdown"];
    let action = json!({"target": target, "ResetType@Redfish.AllowableValues": allowed});
    json!({"@odata.id": SYSTEM, "PowerState": power, "Actions": {"#ComputerSystem.Reset": action}})
}

/// DSP0266, as far as it is used.
fn good(request: &Request, machine: &Machine) -> Reply {
    const TOKEN: &str = "t0ken";
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("root:{PASSWORD}")));
    let authorized = header(&request.headers, "authorization") == Some(&basic)
        || header(&request.headers, "x-auth-token") == Some(TOKEN);
    let off = machine.off.load(Ordering::Relaxed);
    match request.line.as_str() {
        "POST /redfish/v1/SessionService/Sessions" => {
            let wanted = json!({"UserName": "root", "Password": PASSWORD});
            if serde_json::from_slice::<Value>(&request.body).unwrap() != wanted {
                return Reply::Json(401, Value::Null);
            }
            let place =
                format!("X-Auth-Token: {TOKEN}\r\nLocation: /redfish/v1/SessionService/Sessions/1\r\n");
            Reply::Raw(answer(201, &place, &json!({})))
        }
        _ if !authorized => Reply::Json(401, Value::Null),
        "DELETE /redfish/v1/SessionService/Sessions/1" => Reply::Json(204, Value::Null),
        "GET /redfish/v1/Systems" => Reply::Json(200, json!({"Members": [{"@odata.id": SYSTEM}]})),
        line if line == format!("GET {SYSTEM}") => Reply::Json(200, system(if off { "Off" } else { "On" })),
        RESET => {
            machine.resets.fetch_add(1, Ordering::Relaxed);
            assert_eq!(
                serde_json::from_slice::<Value>(&request.body).unwrap(),
                json!({"ResetType": "ForceOff"})
            );
            assert_eq!(header(&request.headers, "content-type"), Some("application/json"));
            machine.off.store(true, Ordering::Relaxed);
            if off {
                Reply::Json(409, json!({"error": {"message": "is off"}}))
            } else {
                Reply::Json(204, Value::Null)
            }
        }
        _ => Reply::Json(404, Value::Null),
    }
}
