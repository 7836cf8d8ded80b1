use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::bmc::{Caller, Trouble, is_path, only_system, reset_of, task_of};
use super::curl::{Credentials, Curl, Login, Trust};
use super::{Attempt, Fence, Outcome, Power, Timeline};
use crate::Cancel;

/// Between two looks at the power.
const LOOK: Duration = Duration::from_millis(250);
/// One request: slow BMCs take seconds for a TLS handshake, one that hangs must not take all the time there is.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the other node's power is switched.
#[derive(Clone, Debug)]
pub struct System {
    /// `https://ADDRESS[:PORT]` of the other node's BMC.
    pub origin: String,
    /// Like `/redfish/v1/Systems/1`. Without one, the BMC's only system.
    pub path: Option<String>,
    pub trust: Trust,
    pub login: Login,
    /// Two lines, name and password; mode 0600. Read each time.
    pub credentials: PathBuf,
    /// The program; `curl` if nothing else is wanted.
    pub curl: PathBuf,
}

/// The other board's BMC (DMTF DSP0266): ComputerSystem.Reset with ForceOff, and then its PowerState until that is Off.
///
/// What the BMC answers to the reset is not believed, only the state. It must have power of its own: when board and BMC
/// lose it together there is no answer, and so no proof.
#[derive(Debug)]
pub struct Redfish {
    system: System,
    found: Mutex<Option<Found>>,
}

/// What was learned about the system: kept, since each request may take a BMC a second.
#[derive(Clone, Debug)]
struct Found {
    path: String,
    reset: String,
}

impl Redfish {
    /// # Errors
    /// An address that is not `https://…`, or a path that is none.
    pub fn new(mut system: System) -> Result<Self, String> {
        system.origin.truncate(system.origin.trim_end_matches('/').len());
        let host = system.origin.strip_prefix("https://");
        if !host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '@', '?', '#', ' '])) {
            return Err(format!(
                "{}: the address of a BMC is https://ADDRESS or https://ADDRESS:PORT",
                system.origin
            ));
        }
        if let Some(path) = system.path.as_deref().filter(|path| !is_path(path)) {
            return Err(format!("{path}: the path of a system is like /redfish/v1/Systems/1"));
        }
        Ok(Redfish { system, found: Mutex::default() })
    }

    fn caller<'a>(&'a self, until: Instant, cancel: &'a Cancel) -> Result<Caller<'a>, String> {
        let System { origin, trust, curl, .. } = &self.system;
        let curl = Curl { program: curl, origin, trust, until, patience: PATIENCE, cancel };
        let credentials = Credentials::read(&self.system.credentials)?;
        Ok(Caller { curl, credentials, login: self.system.login, session: None })
    }

    fn find(&self, caller: &mut Caller<'_>) -> Result<Found, Trouble> {
        let known = self.found().clone();
        known.map_or_else(|| self.look_up(caller), Ok)
    }

    fn look_up(&self, caller: &mut Caller<'_>) -> Result<Found, Trouble> {
        let path = match &self.system.path {
            Some(path) => path.clone(),
            None => only_system(&caller.get("/redfish/v1/Systems")?)?,
        };
        let found = Found { reset: reset_of(&caller.get(&path)?)?, path };
        *self.found() = Some(found.clone());
        Ok(found)
    }

    /// Never held while the BMC is asked: who looks at the state must not hold up who fences.
    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the BMC switch it off. What it answers tells no more than whether to ask again.
    fn ask(&self, caller: &mut Caller<'_>, sent: &mut bool) -> Result<Accepted, Trouble> {
        let found = self.find(caller)?;
        caller.log_in()?;
        *sent = true;
        let answer = caller.request("POST", &found.reset, Some(&json!({"ResetType": "ForceOff"})))?;
        match answer.status {
            200..=299 => Ok(Accepted { task: task_of(&answer, &self.system.origin) }),
            status => {
                // What was learned before may have changed since; 409 is the answer of one that is off already.
                if (400..500).contains(&status) && status != 409 {
                    *self.found() = None;
                }
                Err(Trouble::Again(caller.of(&answer, "POST", &found.reset)))
            }
        }
    }
}

/// The BMC says that it does it, or did; maybe as a task that can be looked at.
struct Accepted {
    task: Option<String>,
}

/// One attempt, as it goes.
#[derive(Default)]
struct Course {
    /// It may have been carried out.
    sent: bool,
    accepted: Option<Accepted>,
    /// Why it was not accepted.
    refused: String,
    /// The power as it was last seen.
    power: Option<Power>,
}

impl Course {
    fn step(
        &mut self,
        redfish: &Redfish,
        caller: &mut Caller<'_>,
        line: &mut Timeline,
    ) -> Result<bool, String> {
        if self.accepted.is_none() {
            match redfish.ask(caller, &mut self.sent) {
                Ok(accepted) => {
                    self.accepted = Some(accepted);
                    line.phase("ask", "accepted");
                }
                Err(Trouble::Final(why)) => return Err(why),
                Err(Trouble::Again(why)) => {
                    line.phase("ask", why.clone());
                    if self.refused.is_empty() || !caller.is_late() {
                        self.refused = why;
                    }
                }
            }
        }
        if !self.sent {
            return Ok(false);
        }
        self.power = Some(match redfish.find(caller).and_then(|found| caller.power(&found.path)) {
            Ok(Power::Off) => return Ok(true),
            Ok(power) => power,
            Err(Trouble::Final(why)) => return Err(why),
            // Cut by the deadline: what was seen before says more.
            Err(Trouble::Again(_)) if caller.is_late() && self.power.is_some() => return Ok(false),
            Err(Trouble::Again(why)) => Power::Unknown(why),
        });
        let task = self.accepted.as_ref().and_then(|accepted| accepted.task.as_deref());
        if let Some(why) = task.and_then(|task| caller.ended_badly(task)) {
            line.phase("task", why.clone());
            self.refused = why;
            self.accepted = None;
        }
        Ok(false)
    }

    fn too_late(self, deadline: Duration) -> Outcome {
        let after = format!("after {} s", deadline.as_secs_f32());
        let refused = self.refused;
        match self.power {
            Some(Power::On) if self.accepted.is_some() => {
                Outcome::Failed(format!("the BMC accepted ForceOff, and says On still {after}"))
            }
            Some(Power::On) => Outcome::Failed(format!("the BMC says On {after}: {refused}")),
            Some(Power::Unknown(why)) => Outcome::Unknown(format!("not seen off {after}: {why}; {refused}")),
            Some(Power::Off) | None if self.sent => {
                Outcome::Unknown(format!("not seen off {after}: {refused}"))
            }
            Some(Power::Off) | None => Outcome::Failed(format!("nothing could be asked {after}: {refused}")),
        }
    }
}

impl Fence for Redfish {
    fn off(&self, deadline: Duration, cancel: &Cancel) -> Attempt {
        let mut line = Timeline::begin();
        let until = Instant::now() + deadline;
        let mut caller = match self.caller(until, cancel) {
            Ok(caller) => caller,
            Err(why) => return line.end(Outcome::Failed(why)),
        };
        let mut course = Course::default();
        let outcome = loop {
            match course.step(self, &mut caller, &mut line) {
                Ok(true) => break Outcome::SeenOff,
                Ok(false) => {}
                Err(why) if course.sent => break Outcome::Unknown(why),
                Err(why) => break Outcome::Failed(why),
            }
            let left = until.saturating_duration_since(Instant::now());
            if cancel.sleep(LOOK.min(left)) {
                break Outcome::Unknown("cancelled".to_owned());
            }
            if left.is_zero() {
                break course.too_late(deadline);
            }
        };
        line.phase("see", if outcome == Outcome::SeenOff { "off" } else { "not seen off" });
        caller.log_out();
        line.end(outcome)
    }

    fn state(&self, deadline: Duration, cancel: &Cancel) -> Power {
        let mut caller = match self.caller(Instant::now() + deadline, cancel) {
            Ok(caller) => caller,
            Err(why) => return Power::Unknown(why),
        };
        // Looked up anew each time: whether it would let itself be switched is part of the answer.
        let power = self.look_up(&mut caller).and_then(|found| caller.power(&found.path));
        caller.log_out();
        power.unwrap_or_else(|(Trouble::Final(why) | Trouble::Again(why))| Power::Unknown(why))
    }
}
