//! BMCs that lie, hang, break off, send elsewhere. None of them makes a node that is on look off.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use geminios_failover_hands::Cancel;
use geminios_failover_hands::fence::{Fence, Outcome, Power, Redfish, System};
use serde_json::{Value, json};

use crate::bmc::{Bmc, Machine, RESET, Reply, Request, SYSTEM, answer, system};
use crate::redfish::{LONG, off};

const SHORT: Duration = Duration::from_secs(2);
/// So much later than its deadline it may end on a machine that has much else to do.
const GUARD: Duration = Duration::from_secs(60);

fn outcome(bmc: &Bmc, deadline: Duration) -> Outcome {
    let begin = Instant::now();
    let outcome = bmc.fence().off(deadline, &Cancel::new().unwrap()).outcome;
    assert!(begin.elapsed() < deadline + GUARD);
    assert_ne!(outcome, Outcome::SeenOff);
    outcome
}

/// At its deadline it fails for this reason. On a machine that has much else to do it may need a longer one to get as far.
fn fails(bmc: &Bmc, reason: &str) {
    let outcomes = [1, 4, 16].map(|times| SHORT * times).into_iter().map(|deadline| outcome(bmc, deadline));
    let said = |outcome: &Outcome| matches!(outcome, Outcome::Failed(why) if why.contains(reason));
    assert!(
        outcomes.into_iter().inspect(|outcome| eprintln!("{outcome:?}")).any(|outcome| said(&outcome)),
        "{reason}"
    );
}

/// As [`fails`], but nobody knows.
fn is_unknown(bmc: &Bmc, reason: &str) {
    let outcomes = [1, 4, 16].map(|times| SHORT * times).into_iter().map(|deadline| outcome(bmc, deadline));
    let said = |outcome: &Outcome| matches!(outcome, Outcome::Unknown(why) if why.contains(reason));
    assert!(
        outcomes.into_iter().inspect(|outcome| eprintln!("{outcome:?}")).any(|outcome| said(&outcome)),
        "{reason}"
    );
}

/// Fails at once, and does not wait for the deadline.
fn at_once(bmc: &Bmc) -> Outcome {
    off(&bmc.fence())
}

fn failed(outcome: &Outcome, reason: &str) {
    assert!(matches!(outcome, Outcome::Failed(why) if why.contains(reason)), "{reason}: {outcome:?}");
}

fn unknown(outcome: &Outcome, reason: &str) {
    assert!(matches!(outcome, Outcome::Unknown(why) if why.contains(reason)), "{reason}: {outcome:?}");
}

/// Instead of what the system says once it was asked to switch off.
fn once_asked(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Bmc {
    Bmc::new(move |request: &Request, machine: &Machine| {
        let look = request.line == format!("GET {SYSTEM}") && machine.resets.load(Ordering::Relaxed) > 0;
        look.then(&reply)
    })
}

#[test]
fn one_that_says_yes_and_does_nothing() {
    for status in [200, 202, 204] {
        let bmc =
            Bmc::new(move |request, _| (request.line == RESET).then_some(Reply::Json(status, Value::Null)));
        fails(&bmc, "the BMC accepted ForceOff, and says On still after");
    }
}

#[test]
fn one_that_is_never_quite_off() {
    for power in ["PoweringOff", "Paused", "off", "OFF", "Off "] {
        is_unknown(&once_asked(move || Reply::Json(200, system(power))), "its PowerState is");
    }
    for body in
        [json!({"PowerState": null}), json!({"PowerState": ["Off"]}), json!({"State": "Off"}), json!("Off")]
    {
        is_unknown(&once_asked(move || Reply::Json(200, body.clone())), "it tells no PowerState");
    }
}

#[test]
fn one_that_says_off_with_another_status() {
    for status in [201, 203, 206, 404, 500, 503] {
        is_unknown(&once_asked(move || Reply::Json(status, system("Off"))), &format!("HTTP {status}"));
    }
}

#[test]
fn one_whose_answer_is_cut() {
    let whole = answer(200, "", &system("Off"));
    let bmc = once_asked(move || Reply::Raw(whole[..whole.len() - 30].to_vec()));
    is_unknown(&bmc, "not seen off");
    // Without a length only the JSON tells that it is not all.
    let cut = b"HTTP/1.1 200 OK\r\n\r\n{\"PowerState\": \"Off\"".to_vec();
    is_unknown(&once_asked(move || Reply::Raw(cut.clone())), "its answer is no JSON");
}

#[test]
fn one_that_talks_rubbish() {
    let rubbish: [&[u8]; 4] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\nPowerState is Off",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"PowerState: Off\r\n\r\n",
        b"\xff\x00\xff\x00",
    ];
    for bytes in rubbish {
        is_unknown(&once_asked(move || Reply::Raw(bytes.to_vec())), "not seen off");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{deep}", deep.len()).into_bytes();
    is_unknown(&once_asked(move || Reply::Raw(deep.clone())), "its answer is no JSON");
}

#[test]
fn one_that_talks_without_end() {
    is_unknown(&once_asked(|| Reply::Endless), "its answer does not end");
}

#[test]
fn one_that_hangs() {
    is_unknown(&once_asked(|| Reply::Hang), "not seen off");
    fails(&Bmc::new(|_, _| Some(Reply::Hang)), "nothing could be asked");
    // It may do it all the same.
    let bmc = Bmc::new(|request, _| (request.line == RESET).then_some(Reply::Hang));
    outcome(&bmc, SHORT);
}

#[test]
fn one_whose_reset_hangs_but_is_done() {
    let bmc = Bmc::new(|request, machine| {
        if request.line != RESET {
            return None;
        }
        machine.off.store(true, Ordering::Relaxed);
        Some(Reply::Raw(Vec::new()))
    });
    assert_eq!(off(&bmc.fence()), Outcome::SeenOff);
}

#[test]
fn one_that_fails_a_few_times() {
    let bmc = Bmc::new(|request, machine| {
        let often = machine.asked.lock().unwrap().iter().filter(|one| one.line == request.line).count();
        (often <= 2).then(|| Reply::Json(503, json!({"error": {"message": "be patient"}})))
    });
    assert_eq!(off(&bmc.fence()), Outcome::SeenOff);
    assert_eq!(bmc.resets(), 1);
}

#[test]
fn one_that_always_fails() {
    let bmc = Bmc::new(|request, _| {
        let busy = json!({"error": {"message": "always\nbusy"}});
        (request.line == RESET).then_some(Reply::Json(500, busy))
    });
    fails(&bmc, "HTTP 500 always busy");
}

#[test]
fn one_that_does_not_know_us() {
    for status in [401, 403] {
        failed(
            &at_once(&Bmc::new(move |_, _| Some(Reply::Json(status, Value::Null)))),
            "name, password or rights are not right",
        );
        let bmc =
            Bmc::new(move |request, _| (request.line == RESET).then_some(Reply::Json(status, Value::Null)));
        unknown(&at_once(&bmc), "name, password or rights are not right");
    }
}

#[test]
fn one_that_sends_us_elsewhere() {
    let other = Bmc::good();
    other.machine.off.store(true, Ordering::Relaxed);
    let elsewhere = other.origin.clone();
    let bmc = Bmc::new(move |request, _| {
        let path = request.line.split(' ').nth(1).unwrap();
        Some(Reply::Raw(answer(307, &format!("Location: {elsewhere}{path}\r\n"), &Value::Null)))
    });
    failed(&at_once(&bmc), "nobody is followed");
    // Also not by what its answers name.
    let origin = other.origin.clone();
    let bmc = Bmc::new(move |request, _| {
        let mut told = system("On");
        told["Actions"]["#ComputerSystem.Reset"]["target"] = json!(format!("{origin}/x"));
        (request.line == format!("GET {SYSTEM}")).then_some(Reply::Json(200, told))
    });
    fails(&bmc, "offers no ComputerSystem.Reset");
    let bmc = Bmc::new(|request, _| {
        let members = json!({"Members": [{"@odata.id": "//else.where/redfish/v1/Systems/1"}]});
        (request.line == "GET /redfish/v1/Systems").then_some(Reply::Json(200, members))
    });
    fails(&bmc, "lists no system");
    assert_eq!(other.asked(), [""; 0]);
}

#[test]
fn one_that_cannot_force() {
    let bmc = Bmc::new(|request, _| {
        let mut told = system("On");
        told["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"] =
            json!(["On", "GracefulShutdown"]);
        (request.line == format!("GET {SYSTEM}")).then_some(Reply::Json(200, told))
    });
    failed(&at_once(&bmc), "cannot do ForceOff, only [\"On\",\"GracefulShutdown\"]");
    assert!(
        matches!(bmc.fence().state(SHORT, &Cancel::new().unwrap()), Power::Unknown(why) if why.contains("cannot do ForceOff"))
    );
}

#[test]
fn one_of_several_systems() {
    let several = |request: &Request, _: &Machine| {
        let members = json!({"Members": [{"@odata.id": "/redfish/v1/Systems/other"}, {"@odata.id": SYSTEM}]});
        (request.line == "GET /redfish/v1/Systems").then_some(Reply::Json(200, members))
    };
    let bmc = Bmc::new(several);
    failed(&at_once(&bmc), "several systems (/redfish/v1/Systems/other, /redfish/v1/Systems/one)");
    assert_eq!(bmc.resets(), 0);
    let fence = Redfish::new(System { path: Some(SYSTEM.to_owned()), ..bmc.system() }).unwrap();
    assert_eq!(off(&fence), Outcome::SeenOff);
}

#[test]
fn nobody_there() {
    let bmc = Bmc::good();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = format!("https://{nobody}");
    let fence = Redfish::new(System { origin, ..bmc.system() }).unwrap();
    failed(&fence.off(SHORT, &Cancel::new().unwrap()).outcome, "nothing could be asked");
    let fence = Redfish::new(System { curl: "/nonexistent/curl".into(), ..bmc.system() }).unwrap();
    failed(&off(&fence), "is curl in the image?");
}

#[test]
fn it_can_be_cancelled() {
    let bmc = Bmc::new(|_, _| Some(Reply::Hang));
    let cancel = Cancel::new().unwrap();
    let from = cancel.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        from.cancel();
    });
    let begin = Instant::now();
    let attempt = bmc.fence().off(2 * LONG, &cancel);
    assert_eq!(attempt.outcome, Outcome::Unknown("cancelled".to_owned()));
    assert!(begin.elapsed() < LONG);
    canceller.join().unwrap();
}
