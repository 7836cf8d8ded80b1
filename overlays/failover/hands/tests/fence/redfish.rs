//! A BMC that does what it should, and how it is known.

use std::sync::atomic::Ordering;
use std::time::Duration;

use geminios_failover_hands::Cancel;
use geminios_failover_hands::fence::{Fence, Login, Outcome, Power, Redfish, System, Trust};
use serde_json::{Value, json};

use crate::bmc::{Bmc, RESET, Reply, SYSTEM, answer, header, secret};
use crate::script::script;

pub const LONG: Duration = Duration::from_secs(240);

pub fn off(fence: &impl Fence) -> Outcome {
    fence.off(LONG, &Cancel::new().unwrap()).outcome
}

#[test]
fn it_is_switched_off_and_seen_off() {
    let bmc = Bmc::good();
    let fence = bmc.fence();
    let cancel = Cancel::new().unwrap();
    assert_eq!(fence.state(LONG, &cancel), Power::On);
    let before = bmc.asked().len();
    let attempt = fence.off(LONG, &cancel);
    assert_eq!(attempt.outcome, Outcome::SeenOff);
    // What the look at the state learned is not asked for again: two requests.
    assert_eq!(bmc.asked()[before..], [RESET.to_owned(), format!("GET {SYSTEM}")]);
    let phases: Vec<_> = attempt.phases.iter().map(|phase| (phase.name, phase.result.as_str())).collect();
    assert_eq!(phases, [("ask", "accepted"), ("see", "off")]);
    assert_eq!(fence.state(LONG, &cancel), Power::Off);
    eprintln!("{:?}", attempt.phases);
}

#[test]
fn one_that_is_off_already_may_refuse() {
    let bmc = Bmc::good();
    bmc.machine.off.store(true, Ordering::Relaxed);
    assert_eq!(off(&bmc.fence()), Outcome::SeenOff);
    assert_eq!(bmc.resets(), 1, "it was asked nevertheless");
}

#[test]
fn one_that_takes_its_time_is_waited_for() {
    let looks = std::sync::atomic::AtomicUsize::new(0);
    let bmc = Bmc::new(move |request, machine| {
        if request.line != format!("GET {SYSTEM}") || !machine.off.load(Ordering::Relaxed) {
            return None;
        }
        let power = ["On", "PoweringOff", "Off"][looks.fetch_add(1, Ordering::Relaxed).min(2)];
        Some(Reply::Json(200, crate::bmc::system(power)))
    });
    assert_eq!(off(&bmc.fence()), Outcome::SeenOff);
    assert_eq!(bmc.resets(), 1);
}

#[test]
fn a_session_is_begun_and_ended() {
    let bmc = Bmc::good();
    let fence = Redfish::new(System { login: Login::Session, ..bmc.system() }).unwrap();
    assert_eq!(off(&fence), Outcome::SeenOff);
    let ended = "DELETE /redfish/v1/SessionService/Sessions/1";
    let begin = std::time::Instant::now();
    while bmc.asked().last().unwrap() != ended {
        assert!(begin.elapsed() < LONG, "{:?}", bmc.asked());
        std::thread::sleep(Duration::from_millis(20));
    }
    let asked = bmc.machine.asked.lock().unwrap();
    assert!(asked.iter().all(|request| header(&request.headers, "authorization").is_none()));
}

#[test]
fn a_task_that_fails_is_asked_for_again() {
    let bmc = Bmc::new(|request, machine| match request.line.as_str() {
        RESET if machine.asked.lock().unwrap().iter().filter(|one| one.line == RESET).count() == 1 => {
            Some(Reply::Raw(answer(202, "Location: /redfish/v1/TaskService/Tasks/7\r\n", &Value::Null)))
        }
        "GET /redfish/v1/TaskService/Tasks/7" => {
            let message = json!({"TaskState": "Exception", "Messages": [{"Message": "busy"}]});
            Some(Reply::Json(200, message))
        }
        _ => None,
    });
    let attempt = bmc.fence().off(LONG, &Cancel::new().unwrap());
    assert_eq!(attempt.outcome, Outcome::SeenOff);
    let task = attempt.phases.iter().find(|phase| phase.name == "task").unwrap();
    assert_eq!(task.result, "the BMC's task /redfish/v1/TaskService/Tasks/7 ended as Exception: busy");
    assert_eq!(bmc.asked().iter().filter(|line| *line == RESET).count(), 2);
}

#[test]
fn its_public_key_is_enough() {
    let bmc = Bmc::good();
    let fence = Redfish::new(System { trust: bmc.pin(), ..bmc.system() }).unwrap();
    assert_eq!(off(&fence), Outcome::SeenOff);
}

#[test]
fn somebody_elses_certificate_gets_no_password() {
    let (bmc, other) = (Bmc::good(), Bmc::good());
    for trust in [
        other.system().trust,
        other.pin(),
        Trust::Authority("/nonexistent".into()),
        Trust::PublicKey("x".into()),
    ] {
        let fence = Redfish::new(System { trust: trust.clone(), ..bmc.system() }).unwrap();
        let outcome = off(&fence);
        assert!(matches!(&outcome, Outcome::Failed(_)), "{trust:?}: {outcome:?}");
        assert_eq!(bmc.asked(), [""; 0], "{trust:?}");
    }
    let fence = Redfish::new(System { trust: Trust::Anybody, ..bmc.system() }).unwrap();
    assert_eq!(off(&fence), Outcome::SeenOff, "only in words");
}

/// The certificate is right, but for another name.
#[test]
fn the_name_is_looked_at() {
    let bmc = Bmc::good();
    let origin = bmc.origin.replace("127.0.0.1", "localhost");
    let outcome = off(&Redfish::new(System { origin, ..bmc.system() }).unwrap());
    assert!(matches!(&outcome, Outcome::Failed(_)), "{outcome:?}");
    assert_eq!(bmc.asked(), [""; 0]);
}

#[test]
fn the_password_is_in_no_list_of_processes_and_no_message() {
    let bmc = Bmc::good();
    let text = "echo \"$@\" >>arguments; env >>arguments; cat >input; exec curl \"$@\" <input";
    let curl = script(bmc.folder.path(), text);
    assert_eq!(off(&Redfish::new(System { curl, ..bmc.system() }).unwrap()), Outcome::SeenOff);
    let arguments = std::fs::read_to_string(bmc.folder.path().join("arguments")).unwrap();
    assert!(arguments.starts_with("--disable --config -\n"), "{arguments}");
    assert!(!arguments.contains("cret") && !arguments.contains("HOME="), "{arguments}");
}

#[test]
fn credentials_that_others_can_read_are_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let bmc = Bmc::good();
    let file = bmc.folder.path().join("credentials");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let outcome = off(&bmc.fence());
    assert!(
        matches!(&outcome, Outcome::Failed(why) if why.contains("(mode 640): chmod 0600")),
        "{outcome:?}"
    );
    for (at, text) in ["root", "root\na\nb", ":\na", "\na", "a\nb\0"].into_iter().enumerate() {
        let credentials = bmc.folder.path().join(at.to_string());
        secret(credentials.clone(), text);
        let outcome = off(&Redfish::new(System { credentials, ..bmc.system() }).unwrap());
        assert!(matches!(outcome, Outcome::Failed(_)), "{text:?}");
    }
    assert_eq!(bmc.asked(), [""; 0]);
}

#[test]
fn an_address_without_tls_is_none() {
    let bmc = Bmc::good();
    for origin in ["http://127.0.0.1", "127.0.0.1", "https://", "https://a/b", "https://a@b"] {
        assert!(Redfish::new(System { origin: origin.to_owned(), ..bmc.system() }).is_err(), "{origin}");
    }
    for path in ["redfish", "//else.where/x", "/a b", "/a\nb"] {
        assert!(Redfish::new(System { path: Some(path.to_owned()), ..bmc.system() }).is_err(), "{path}");
    }
}
