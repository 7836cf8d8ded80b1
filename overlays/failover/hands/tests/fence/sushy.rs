//! sushy-tools as the BMC: somebody else's reading of the standard. It switches seconds after it was asked.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use geminios_failover_hands::Cancel;
use geminios_failover_hands::fence::{Fence, Login, Outcome, Power, Redfish, System, Trust};
use rcgen::generate_simple_self_signed;
use sha2::{Digest, Sha256};

use crate::bmc::secret;
use crate::redfish::LONG;

/// Its configuration; systems are on at first.
const CONFIG: &str = r#"
SUSHY_EMULATOR_AUTH_FILE = "auth"
SUSHY_EMULATOR_STATE_DIR = "."
SUSHY_EMULATOR_FAKE_SYSTEMS = [
    {"uuid": "27946b59-9e44-4fa7-8e91-f3527a1ef094", "name": "b", "power_state": "On", "external_notifier": False, "nics": []},
]
"#;

struct Sushy {
    child: Child,
    system: System,
    _folder: tempfile::TempDir,
}

impl Drop for Sushy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// None: not on this host, which is said; GEMINIOS_ORACLES=required makes it fail.
fn sushy() -> Option<Sushy> {
    let place = match environment() {
        Ok(place) => place,
        Err(reason) => {
            assert!(std::env::var_os("GEMINIOS_ORACLES").is_none(), "sushy-tools: {reason}");
            eprintln!("skipped: no sushy-tools on this host ({reason})");
            return None;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(at("ca.pem"), made.cert.pem()).unwrap();
    secret(at("key.pem"), &made.signing_key.serialize_pem());
    secret(at("credentials"), "admin\nopen: \"sesame\"\n");
    std::fs::write(at("config.py"), CONFIG).unwrap();
    let mut hash = Command::new(place.join("bin/python"));
    hash.args(["-c", "import bcrypt; print(bcrypt.hashpw(b'open: \"sesame\"', bcrypt.gensalt(4)).decode())"]);
    let hash = String::from_utf8(hash.output().unwrap().stdout).unwrap();
    std::fs::write(at("auth"), format!("admin:{hash}")).unwrap();

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(place.join("bin/python"));
    // Not by its script, which names the place where it was made.
    command.args(["-c", "import sys; from sushy_tools.emulator.main import main; sys.exit(main())"]);
    command.args(["--fake", "-i", "127.0.0.1", "-p", &port.to_string()]);
    command
        .args(["--ssl-certificate", "ca.pem", "--ssl-key", "key.pem"])
        .arg("--config")
        .arg(at("config.py"));
    let log = std::fs::File::create(at("log")).unwrap();
    command.current_dir(folder.path()).stdout(Stdio::null()).stderr(log).stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        let log = std::fs::read_to_string(at("log")).unwrap();
        assert!(child.try_wait().unwrap().is_none() && begin.elapsed() < LONG, "{log}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let system = System {
        origin: format!("https://127.0.0.1:{port}"),
        path: None,
        trust: Trust::Authority(at("ca.pem")),
        login: Login::Basic,
        credentials: at("credentials"),
        curl: "curl".into(),
    };
    Some(Sushy { child, system, _folder: folder })
}

#[test]
fn sushy_tools_is_switched_off() {
    let Some(sushy) = sushy() else { return };
    let fence = Redfish::new(sushy.system.clone()).unwrap();
    let cancel = Cancel::new().unwrap();
    assert_eq!(fence.state(LONG, &cancel), Power::On);
    let attempt = fence.off(LONG, &cancel);
    assert_eq!(attempt.outcome, Outcome::SeenOff, "{attempt:?}");
    eprintln!("{:?}", attempt.phases);
    assert_eq!(fence.state(LONG, &cancel), Power::Off);
    // Once more, although it is off.
    assert_eq!(fence.off(LONG, &cancel).outcome, Outcome::SeenOff);
}

#[test]
fn sushy_tools_does_not_know_a_stranger() {
    let Some(sushy) = sushy() else { return };
    let credentials = sushy.system.credentials.with_file_name("stranger");
    secret(credentials.clone(), "admin\nsesame\n");
    let fence = Redfish::new(System { credentials, ..sushy.system.clone() }).unwrap();
    let outcome = fence.off(LONG, &Cancel::new().unwrap()).outcome;
    assert!(matches!(&outcome, Outcome::Failed(why) if why.contains("HTTP 401")), "{outcome:?}");
}

/// A virtual environment as in judge/requirements.txt, kept in the user's cache.
fn environment() -> Result<PathBuf, String> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("judge/requirements.txt");
    let text = std::fs::read(&requirements).map_err(|error| error.to_string())?;
    let name: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let cache = var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")));
    let parent = cache.ok_or("no HOME")?.join("geminios/redfish");
    let place = parent.join(name);
    let python = place.join("bin/python");
    if python.exists() {
        return Ok(place);
    }
    std::fs::create_dir_all(&parent).map_err(|error| error.to_string())?;
    // By one at a time, and under another name: whoever finds the place finds it complete.
    let lock = std::fs::File::create(parent.join("lock")).map_err(|error| error.to_string())?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).map_err(|error| error.to_string())?;
    if python.exists() {
        return Ok(place);
    }
    let made = place.with_extension("made");
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
        let said = || String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(()) } else { Err(said()) }
    };
    run("python3".as_ref(), &["-m", "venv", "--clear", &made.to_string_lossy()])?;
    let install = ["-m", "pip", "install", "--quiet", "--requirement", &requirements.to_string_lossy()];
    run(&made.join("bin/python"), &install)?;
    std::fs::rename(&made, &place).map_err(|error| error.to_string())?;
    Ok(place)
}
