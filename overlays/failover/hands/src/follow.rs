//! Tells the site's own program who leads: to move what is not ours, a DNS entry, a route, a lamp.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::process::{End, Limits, excerpt, run};
use crate::{Cancel, Tell};

/// Kept of each of its outputs, in bytes.
const OUTPUT: usize = 16 << 10;
/// Between the end of a run that failed and the next one; doubled each time up to the second.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Runs `PROGRAM lead EPOCH ADDRESS HOW` where this node leads, and `PROGRAM follow …` where the other one does; HOW that was decided. It is run again
/// until it ends with 0, and killed, with its process group, at its deadline or when the leader changes again: it must bear
/// that, and to be run twice. Runs never overlap.
#[derive(Debug)]
pub struct Follow {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leader {
    epoch: u64,
    address: IpAddr,
    me: bool,
    how: &'static str,
}

#[derive(Debug, Default)]
struct State {
    stop: bool,
    wanted: Option<Leader>,
    told: Option<Leader>,
    /// Ends the run that is under way.
    running: Option<Cancel>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Follow {
    /// `deadline`: of one run.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn new(program: impl Into<PathBuf>, deadline: Duration, tell: Tell) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let program = program.into();
        let thread = std::thread::Builder::new().name("follow".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || work(&shared, &program, deadline, &tell)
        })?;
        Ok(Follow { shared, thread: Some(thread) })
    }

    /// The newest epoch wins; what is older than one that was said before is not done. Returns at once.
    pub fn lead(&self, epoch: u64, address: IpAddr, me: bool, how: &'static str) {
        let wanted = Leader { epoch, address, me, how };
        let mut state = self.shared.lock();
        if state.wanted == Some(wanted) || state.wanted.is_some_and(|before| before.epoch > epoch) {
            return;
        }
        state.wanted = Some(wanted);
        self.shared.wake(&state);
    }

    /// Whether the program ended well for the newest leader.
    #[must_use]
    pub fn is_told(&self) -> bool {
        let state = self.shared.lock();
        state.told == state.wanted
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stop = true;
        self.shared.wake(&state);
        drop(state);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: &State) {
        if let Some(running) = &state.running {
            running.cancel();
        }
        self.changed.notify_all();
    }
}

fn work(shared: &Shared, program: &Path, deadline: Duration, tell: &Tell) {
    let mut pause = RETRY[0];
    let mut last = None;
    let mut state = shared.lock();
    while !state.stop {
        let Some(leader) = state.wanted.filter(|_| state.wanted != state.told) else {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        if last != Some(leader) {
            (last, pause) = (Some(leader), RETRY[0]);
        }
        let cancel = Cancel::new();
        state.running = cancel.as_ref().ok().cloned();
        drop(state);
        let result = cancel
            .map_err(|error| error.to_string())
            .and_then(|cancel| once(program, leader, deadline, &cancel));
        state = shared.lock();
        state.running = None;
        match result {
            Ok(()) => state.told = Some(leader),
            // Another leader is wanted since; nothing is wrong.
            Err(_) if state.stop || state.wanted != Some(leader) => {}
            Err(why) => {
                tell(&format!("{}: {why}; trying again in {} s", program.display(), pause.as_secs()));
                let until = Instant::now() + pause;
                while !state.stop && state.wanted == Some(leader) && Instant::now() < until {
                    let left = until.saturating_duration_since(Instant::now());
                    let waited = shared.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                pause = (pause * 2).min(RETRY[1]);
            }
        }
    }
}

fn once(program: &Path, leader: Leader, deadline: Duration, cancel: &Cancel) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg(if leader.me { "lead" } else { "follow" });
    command.args([&leader.epoch.to_string(), &leader.address.to_string(), leader.how]);
    let limits = Limits { until: Instant::now() + deadline, output: OUTPUT, strict: false };
    let ran = run(command, b"", &limits, cancel)
        .map_err(|error| format!("cannot be run: {error}; is it there and executable?"))?;
    let said = excerpt(&[ran.stderr, ran.stdout].concat());
    match ran.end {
        End::Exited(status) if status.success() => Ok(()),
        End::Exited(status) => Err(format!("{status}: {said}")),
        End::Cancelled => Err("cancelled".to_owned()),
        End::Deadline | End::TooMuch => Err(format!("killed after {} s: {said}", deadline.as_secs_f32())),
    }
}
