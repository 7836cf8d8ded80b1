//! The watchdog against a simulated device: what a driver may do. That a real one resets the machine is seen in QEMU (README.md).
#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use geminios_failover_hands::watchdog::{
    CARDRESET, Device, Fed, Info, MAGICCLOSE, PRETIMEOUT, Running, SETTIMEOUT, Watchdog, WatchdogError,
};

#[derive(Clone, Debug)]
struct Sim {
    options: u32,
    boot_status: u32,
    /// In seconds: what can be set, and to what multiple it is rounded up.
    range: (u32, u32),
    step: u32,
    timeout: u32,
    pretimeout: u32,
    no_way_out: Option<bool>,
    now: u64,
    fed: u64,
    stopped: bool,
    broken: bool,
}

impl Default for Sim {
    fn default() -> Self {
        Sim {
            options: SETTIMEOUT | MAGICCLOSE,
            boot_status: 0,
            range: (1, 600),
            step: 1,
            timeout: 60,
            pretimeout: 7,
            no_way_out: Some(false),
            now: 0,
            fed: 0,
            stopped: false,
            broken: false,
        }
    }
}

/// The device as the watchdog has it; the test keeps the other end.
#[derive(Clone, Debug, Default)]
struct Handle(Arc<Mutex<Sim>>);

impl Handle {
    fn of(sim: Sim) -> Self {
        Handle(Arc::new(Mutex::new(sim)))
    }

    fn sim(&self) -> std::sync::MutexGuard<'_, Sim> {
        self.0.lock().unwrap()
    }

    fn fires(&self) -> u64 {
        let sim = self.sim();
        sim.fed + u64::from(sim.timeout) * 1000
    }
}

impl Device for Handle {
    fn info(&self) -> io::Result<Info> {
        let mut identity = [0; 32];
        identity[..4].copy_from_slice(b"Sim\0");
        Ok(Info { options: self.sim().options, firmware: 0, identity })
    }
    fn boot_status(&self) -> io::Result<u32> {
        Ok(self.sim().boot_status)
    }
    fn timeout(&self) -> io::Result<u32> {
        Ok(self.sim().timeout)
    }
    fn set_timeout(&mut self, seconds: u32) -> io::Result<()> {
        let mut sim = self.sim();
        if seconds < sim.range.0 || seconds > sim.range.1 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        sim.timeout = seconds.next_multiple_of(sim.step);
        Ok(())
    }
    fn set_pretimeout(&mut self, seconds: u32) -> io::Result<()> {
        self.sim().pretimeout = seconds;
        Ok(())
    }
    fn no_way_out(&self) -> Option<bool> {
        self.sim().no_way_out
    }
    fn keep_alive(&mut self) -> io::Result<()> {
        let mut sim = self.sim();
        if sim.broken {
            return Err(io::ErrorKind::Other.into());
        }
        sim.fed = sim.now;
        Ok(())
    }
    fn magic(&mut self) -> io::Result<()> {
        let mut sim = self.sim();
        sim.stopped = sim.no_way_out != Some(true);
        Ok(())
    }
}

fn over(sim: Sim, seconds: u64) -> (Handle, Result<Watchdog<Handle>, WatchdogError>) {
    let handle = Handle::of(sim);
    let watchdog = Watchdog::over(handle.clone(), Path::new("/dev/sim"), Duration::from_secs(seconds));
    (handle, watchdog)
}

#[test]
fn only_a_timeout_near_the_wanted_one_will_do() {
    let step = |step| Sim { step, ..Sim::default() };
    let fixed = |timeout| Sim { options: MAGICCLOSE, timeout, ..Sim::default() };
    // What the device is, what is wanted, and what it then is.
    let cases = [
        (Sim::default(), 3, Ok(3)),
        (step(4), 3, Err(4)),
        (step(4), 4, Ok(4)),
        (fixed(3), 3, Ok(3)),
        (fixed(3), 5, Ok(3)),
        (fixed(2), 5, Err(2)),
        (fixed(60), 3, Err(60)),
        (Sim { range: (10, 60), ..Sim::default() }, 3, Err(60)),
        (Sim { range: (1, 2), timeout: 2, ..Sim::default() }, 3, Ok(2)),
        (Sim::default(), 0, Err(60)),
    ];
    for (sim, wanted, expected) in cases {
        let shown = format!("{sim:?}, {wanted} s");
        let (handle, watchdog) = over(sim, wanted);
        match (watchdog, expected) {
            (Ok(watchdog), Ok(real)) => assert_eq!(watchdog.timeout(), Duration::from_secs(real), "{shown}"),
            (Err(WatchdogError::Timeout { real, running, .. }), Err(expected)) => {
                assert_eq!((real, running), (expected, Running::Stopped), "{shown}");
                assert!(handle.sim().stopped, "a device that is refused does not reset the machine");
            }
            (other, _) => panic!("{shown}: {other:?}"),
        }
    }
}

#[test]
fn a_refused_one_that_cannot_be_stopped_is_told_of() {
    let (_, watchdog) = over(Sim { step: 4, no_way_out: Some(true), ..Sim::default() }, 3);
    assert_eq!(
        watchdog.unwrap_err().to_string(),
        "/dev/sim (Sim) would fire 4 s after it was fed last; wanted is 2 to 3 s: take another device or another promise; \
         it cannot be stopped and will reset this machine"
    );
}

#[test]
fn one_that_stops_with_the_agent_guards_nothing() {
    let (_, watchdog) = over(Sim { options: SETTIMEOUT, ..Sim::default() }, 3);
    assert!(matches!(watchdog, Err(WatchdogError::StopsOnClose(..))));
    let (_, watchdog) = over(Sim { options: SETTIMEOUT, no_way_out: Some(true), ..Sim::default() }, 3);
    assert!(watchdog.is_ok(), "with nowayout it does not");
    let (_, watchdog) = over(Sim { options: SETTIMEOUT, no_way_out: None, ..Sim::default() }, 3);
    assert!(matches!(watchdog, Err(WatchdogError::StopsOnClose(..))), "who does not know does not hope");
}

#[test]
fn the_pretimeout_is_off_and_the_last_reset_is_told() {
    let options = SETTIMEOUT | MAGICCLOSE | PRETIMEOUT;
    let (handle, watchdog) = over(Sim { options, boot_status: CARDRESET, ..Sim::default() }, 3);
    assert_eq!(handle.sim().pretimeout, 0);
    assert!(watchdog.unwrap().fired_before());
    let (_, watchdog) = over(Sim { boot_status: 0x4, ..Sim::default() }, 3);
    assert!(!watchdog.unwrap().fired_before(), "that was another cause");
}

#[test]
fn it_is_fed_only_while_it_fires_before_the_deadline() {
    let (handle, watchdog) = over(Sim::default(), 3);
    let mut watchdog = watchdog.unwrap();
    for (now, deadline, fed) in [
        (1000, None, Fed::Yes),
        (2000, Some(5001), Fed::Yes),
        (2000, Some(5000), Fed::No),
        (2000, Some(1999), Fed::No),
        (2000, Some(0), Fed::No),
        (9000, Some(u64::MAX), Fed::Yes),
    ] {
        let before = handle.fires();
        handle.sim().now = now;
        assert_eq!(watchdog.feed_until(deadline, || now).unwrap(), fed, "{now} {deadline:?}");
        let expected = if fed == Fed::Yes { now + 3000 } else { before };
        assert_eq!(handle.fires(), expected, "{now} {deadline:?}");
    }
}

/// Whatever the core says and whenever: what was fed fires before the newest deadline that it was fed for.
#[test]
fn a_node_that_hangs_at_any_time_is_reset_in_time() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = |below: u64| {
        // xorshift64 (Marsaglia 2003)
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut fed = [0, 0];
    for _ in 0..200 {
        let (handle, watchdog) = over(Sim::default(), 3);
        let mut watchdog = watchdog.unwrap();
        // The core's deadlines only go forward.
        let (mut now, mut deadline) = (0, 3001);
        for _ in 0..100 {
            now += next(300);
            deadline = deadline.max(now + next(4000));
            handle.sim().now = now;
            let was = handle.fires();
            let result = watchdog.feed_until(Some(deadline), || now).unwrap();
            fed[usize::from(result == Fed::Yes)] += 1;
            assert!(handle.fires() < deadline, "{now} {deadline}");
            assert!(result == Fed::Yes || handle.fires() == was);
        }
    }
    assert!(fed.iter().all(|count| *count > 1000), "both happen: {fed:?}");
}

#[test]
fn a_pause_between_the_look_at_the_clock_and_the_feeding_is_told() {
    let (_, watchdog) = over(Sim::default(), 3);
    let times = std::cell::RefCell::new(vec![1900, 0]);
    let clock = || times.borrow_mut().pop().unwrap();
    assert_eq!(watchdog.unwrap().feed_until(Some(3200), clock).unwrap(), Fed::Late { by: 1700 });
}

#[test]
fn only_an_orderly_end_stops_it() {
    let (handle, watchdog) = over(Sim::default(), 3);
    drop(watchdog);
    assert!(!handle.sim().stopped, "an agent that dies does not stop it");
    let (handle, watchdog) = over(Sim::default(), 3);
    watchdog.unwrap().disarm().unwrap();
    assert!(handle.sim().stopped);
    let (handle, watchdog) = over(Sim { no_way_out: Some(true), ..Sim::default() }, 3);
    assert!(matches!(watchdog.unwrap().disarm(), Err(WatchdogError::NoWayOut(..))));
    assert!(!handle.sim().stopped);
}

#[test]
fn a_device_that_takes_no_food_is_an_error() {
    let (handle, watchdog) = over(Sim::default(), 3);
    handle.sim().broken = true;
    let mut watchdog = watchdog.unwrap();
    assert!(watchdog.feed().is_err());
    assert!(watchdog.feed_until(None, || 0).is_err());
}

#[test]
fn what_is_no_watchdog_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watchdog");
    std::fs::write(&file, "as it was").unwrap();
    let cases = [
        (Path::new("/dev/null"), "WDIOC_GETSUPPORT: Inappropriate ioctl for device"),
        (&file, "open: it is no character device"),
        (folder.path(), "open: it is no character device"),
        (&folder.path().join("none"), "open: No such file or directory"),
    ];
    for (path, reason) in cases {
        let error = Watchdog::open(path, Duration::from_secs(3)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"as it was");
}
