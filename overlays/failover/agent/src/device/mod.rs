//! The agent on a device: threads that bring what happens, and one loop that has the core decide on it.

mod answer;
mod control;
mod disk;
mod fencing;
mod hands;
mod settings;
mod story;
mod ways;
mod witness;

use std::io::Read as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use geminios_failover::{Agent, Input, Role, Status};
use geminios_failover_core::{Answer, Command, Goal, Instant, Postgres};
use geminios_failover_postgres::Report;
use rustix::time::{ClockId, clock_gettime};

pub use control::{ask, parse};
pub use settings::Settings;

use answer::Answer as Answered;
use control::{Door, Question};
use disk::Watch;
use hands::Device;

/// What comes to the loop.
pub enum Happened {
    Datagram(Vec<u8>),
    Witness(Answer),
    Fenced(bool),
    Postgres(Report),
    Uplink(bool),
    Asked(Question, Sender<String>),
    Phase(geminios_failover_postgres::Moment),
    Told(String),
    /// Why this disk is none to lead on; nothing if it is good again.
    Disk(Option<String>),
    /// An orderly end is wanted.
    Stop,
}

/// How long an orderly end may take before it is none.
const PATIENCE: u64 = 20_000;

/// Milliseconds since the machine started, asleep or not.
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::Boottime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

/// Runs until it is stopped, or cannot go on.
///
/// # Errors
/// What cannot be used, opened or written.
pub fn run(settings: &Settings) -> Result<(), String> {
    let (events, happened) = channel();
    let key = hands::key(&settings.key)?;
    let stored = hands::stored(&settings.state)?;
    let mut device = Device::new(settings, stored.as_ref(), &events)?;
    control::listen(&settings.socket, Door::Own, events.clone())?;
    if let Some(path) = &settings.management {
        control::listen(path, Door::Remote, events.clone())?;
    }
    stop_at_signals(events.clone())?;
    let disk = Watch::start(&settings.state, &settings.postgresql.data, events);
    let mut agent = Agent::start(settings.core(), key, stored, session()?, now());
    device.line(&format!("node {:?} begins: {}", settings.me, told(&agent.status(now()))));
    work(&mut agent, &mut device, &happened, &|now| disk.silent_for(now) > settings.times.disk)
}

fn work(
    agent: &mut Agent,
    device: &mut Device,
    happened: &Receiver<Happened>,
    disk_hangs: &dyn Fn(Instant) -> bool,
) -> Result<(), String> {
    let mut stopping = None;
    loop {
        let begun = now();
        let wait = Duration::from_millis(agent.wake(begun).saturating_sub(begun));
        let next = match happened.recv_timeout(wait) {
            Ok(next) => Some(next),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Err("the threads of the agent have ended".into()),
        };
        let mut step =
            |device: &mut Device, input| agent.step(now(), input, device).map_err(|ended| ended.to_string());
        match next {
            None => step(device, Input::Tick)?,
            Some(Happened::Datagram(bytes)) => step(device, Input::Datagram(&bytes))?,
            Some(Happened::Witness(answer)) => step(device, Input::Witness(answer))?,
            Some(Happened::Fenced(off)) => step(device, Input::Fenced(off))?,
            Some(Happened::Postgres(report)) if device.is_of_newest_aim(&report) => {
                step(device, Input::Postgres(report.postgres))?;
            }
            // What an older aim came to says nothing of the newest.
            Some(Happened::Postgres(_)) => {}
            Some(Happened::Uplink(uplink)) => step(device, Input::Uplink(uplink))?,
            Some(Happened::Phase(moment)) => device.phase(&moment),
            Some(Happened::Told(line)) => device.line(&line),
            Some(Happened::Disk(problem)) => leave_disk(agent, device, problem)?,
            Some(Happened::Asked(question, reply)) => answer(agent, device, question, &reply)?,
            Some(Happened::Stop) => {
                device.line("asked to end");
                if agent.status(now()).serves.is_some() {
                    agent
                        .step(now(), Input::Command(Command::HandOver), device)
                        .map_err(|e| e.to_string())?;
                }
                stopping = Some(now());
            }
        }
        if let Some(by) = device.late {
            return stand_down(
                device,
                happened,
                &format!(
                    "this node stood still while it fed the watchdog, which would now fire {by} ms too late"
                ),
            );
        }
        // The other one can lead without this one, or go on without it, as soon as this one is silent.
        if disk_hangs(now()) && matches!(agent.status(now()).role, Role::Leader | Role::Standby) {
            return stand_down(device, happened, "the disk hangs");
        }
        if let Some(since) = stopping {
            let status = agent.status(now());
            if status.serves.is_none() || now() > since + PATIENCE / 2 {
                return end(device, happened, since);
            }
        }
    }
}

/// Nothing guards this node in time any more, so it stops what is guarded while it runs. The watchdog is left to fire.
fn stand_down(device: &mut Device, happened: &Receiver<Happened>, why: &str) -> Result<(), String> {
    use geminios_failover::Hands as _;
    device.line(why);
    device.serve(None);
    device.postgres(Goal::Stopped { clean: false });
    let until = now() + PATIENCE / 4;
    while now() < until {
        match happened.recv_timeout(Duration::from_millis(50)) {
            Ok(Happened::Postgres(report))
                if device.is_of_newest_aim(&report) && report.postgres == Postgres::Stopped =>
            {
                break;
            }
            Ok(Happened::Phase(moment)) => device.phase(&moment),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Err(format!("{why}; PostgreSQL and the address are stopped"))
}

/// A leader whose disk is full hands over, once: the other disk may be as full.
fn leave_disk(agent: &mut Agent, device: &mut Device, problem: Option<String>) -> Result<(), String> {
    if problem != device.disk {
        device.note(
            &problem.as_ref().map_or("the disk is good again".to_owned(), |why| format!("disk: {why}")),
        );
    }
    if problem.is_none() {
        device.left_disk = false;
    } else if !device.left_disk && agent.status(now()).role == Role::Leader {
        device.refusal = None;
        agent.step(now(), Input::Command(Command::HandOver), device).map_err(|ended| ended.to_string())?;
        device.left_disk = device.refusal.take().is_none();
    }
    device.disk = problem;
    Ok(())
}

/// The role is given up; PostgreSQL stops with all that it has on the other node.
fn end(device: &mut Device, happened: &Receiver<Happened>, since: Instant) -> Result<(), String> {
    use geminios_failover::Hands as _;
    device.serve(None);
    device.postgres(Goal::Stopped { clean: true });
    while now() < since + PATIENCE {
        device.feed(None);
        match happened.recv_timeout(Duration::from_millis(200)) {
            Ok(Happened::Postgres(report))
                if device.is_of_newest_aim(&report) && report.postgres == Postgres::Stopped =>
            {
                device.end();
                return Ok(());
            }
            Ok(Happened::Phase(moment)) => device.phase(&moment),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Err(format!("PostgreSQL did not stop within {} s; the watchdog is left running", PATIENCE / 1000))
}

fn answer(
    agent: &mut Agent,
    device: &mut Device,
    question: Question,
    reply: &Sender<String>,
) -> Result<(), String> {
    let text = match question {
        Question::Status => Answered::of(now(), agent, device).to_json()?,
        Question::Story => device.story.to_json(),
        Question::Metrics => story::metrics(&agent.status(now()), &device.metrics(), &device.story),
        Question::HandOver | Question::Lead => {
            let command = if question == Question::HandOver { Command::HandOver } else { Command::Lead };
            device.refusal = None;
            agent.step(now(), Input::Command(command), device).map_err(|ended| ended.to_string())?;
            match device.refusal.take() {
                None => "{\"begun\":true}".into(),
                Some(refusal) => format!("{{\"refused\":{:?}}}", control::why(refusal)),
            }
        }
    };
    // Whoever asked may have gone.
    let _ = reply.send(text);
    Ok(())
}

/// A random number of this start.
fn session() -> Result<u64, String> {
    let mut bytes = [0; 8];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| format!("/dev/urandom: {error}"))?;
    Ok(u64::from_le_bytes(bytes))
}

fn stop_at_signals(events: Sender<Happened>) -> Result<(), String> {
    let mut signals =
        signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT])
            .map_err(|error| format!("signals: {error}"))?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            let _ = events.send(Happened::Stop);
        }
    });
    Ok(())
}

/// One line for the log.
pub fn told(status: &Status) -> String {
    let role = match status.role {
        Role::Leader => "leader, each commit is on both nodes",
        Role::LeaderAlone => "leader, alone",
        Role::LeaderNotServing => "leader, not serving",
        Role::Standby => "standby, may lead next",
        Role::StandbyBehind => "standby, may not lead: it may lack what was acknowledged",
    };
    format!("{role}; epoch {}, record {}", status.stored.record.epoch, status.stored.record.number)
}
