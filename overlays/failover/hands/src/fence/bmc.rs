//! One who talks to a BMC, and what of its answers is believed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Power;
use super::curl::{Answer, As, Credentials, Curl, Login, NoAnswer};
use crate::Cancel;
use crate::process::excerpt;

/// So long a session may take to be ended afterwards, in a thread of its own.
const GOODBYE: Duration = Duration::from_secs(3);

/// TaskStates (Redfish Task schema) after which the task does nothing any more, without having done it.
const BAD_ENDS: [&str; 4] = ["Exception", "Killed", "Cancelled", "Interrupted"];

/// Why it does not go on.
pub(super) enum Trouble {
    /// Asking again gives the same.
    Final(String),
    Again(String),
}

impl From<NoAnswer> for Trouble {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Final(why) => Trouble::Final(why),
            NoAnswer::Lost(why) => Trouble::Again(why),
        }
    }
}

pub(super) struct Caller<'a> {
    pub curl: Curl<'a>,
    pub credentials: Credentials,
    pub login: Login,
    /// Its token, and where it is ended.
    pub session: Option<(String, Option<String>)>,
}

impl Caller<'_> {
    fn by(&self) -> As<'_> {
        match &self.session {
            Some((token, _)) => As::Token(token),
            None => As::Basic(&self.credentials),
        }
    }

    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Trouble> {
        let answer = self.curl.request(method, path, self.by(), body)?;
        match answer.status {
            401 | 403 => Err(Trouble::Final(format!(
                "{}: {}",
                self.of(&answer, method, path),
                "name, password or rights are not right"
            ))),
            300..=399 => Err(Trouble::Final(format!(
                "{}: it sends us elsewhere; nobody is followed",
                self.of(&answer, method, path)
            ))),
            _ => Ok(answer),
        }
    }

    pub fn get(&mut self, path: &str) -> Result<Value, Trouble> {
        self.log_in()?;
        let answer = self.request("GET", path, None)?;
        if answer.status != 200 {
            return Err(Trouble::Again(self.of(&answer, "GET", path)));
        }
        answer.json().map_err(|why| Trouble::Again(format!("GET {}{path}: {why}", self.curl.origin)))
    }

    pub fn of(&self, answer: &Answer, method: &str, path: &str) -> String {
        let said = answer.json().ok().and_then(|json| Some(json["error"]["message"].as_str()?.to_owned()));
        let said = excerpt(said.unwrap_or_default().as_bytes());
        format!("{method} {}{path}: HTTP {} {said}", self.curl.origin, answer.status)
    }

    pub fn is_late(&self) -> bool {
        Instant::now() >= self.curl.until
    }

    /// If a session is wanted and there is none.
    pub fn log_in(&mut self) -> Result<(), Trouble> {
        if self.login == Login::Basic || self.session.is_some() {
            return Ok(());
        }
        let path = "/redfish/v1/SessionService/Sessions";
        let body = json!({"UserName": self.credentials.name, "Password": self.credentials.password});
        let answer = self.curl.request("POST", path, As::Nobody, Some(&body))?;
        match (answer.status, &answer.token) {
            (200..=299, Some(token)) if token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                self.session = Some((token.clone(), place_of(&answer, self.curl.origin)));
                Ok(())
            }
            (400..=403, _) => Err(Trouble::Final(format!("{}: no session", self.of(&answer, "POST", path)))),
            _ => Err(Trouble::Again(format!("{}: no session", self.of(&answer, "POST", path)))),
        }
    }

    /// In a thread: the outcome does not wait for it. A session that is not ended times out by itself.
    pub fn log_out(self) {
        let Some((token, Some(place))) = self.session else { return };
        let (program, origin) = (self.curl.program.to_owned(), self.curl.origin.to_owned());
        let trust = self.curl.trust.clone();
        std::thread::spawn(move || {
            let Ok(cancel) = Cancel::new() else { return };
            let until = Instant::now() + GOODBYE;
            let (program, origin, trust, cancel) = (&*program, &*origin, &trust, &cancel);
            let curl = Curl { program, origin, trust, until, patience: GOODBYE, cancel };
            let _ = curl.request("DELETE", &place, As::Token(&token), None);
        });
    }

    pub fn power(&mut self, path: &str) -> Result<Power, Trouble> {
        let state = self.get(path)?;
        // Exactly these two of the standard's five: a system on its way to Off is not off.
        Ok(match state["PowerState"].as_str() {
            Some("Off") => Power::Off,
            Some("On") => Power::On,
            Some(other) => Power::Unknown(format!("its PowerState is {}", excerpt(other.as_bytes()))),
            None => Power::Unknown("it tells no PowerState".to_owned()),
        })
    }

    /// Why a task (DSP0266, "Asynchronous operations") came to nothing; None while it is under way, went well, or does not say.
    pub fn ended_badly(&mut self, task: &str) -> Option<String> {
        let json = self.get(task).ok()?;
        let state = json["TaskState"].as_str().filter(|state| BAD_ENDS.contains(state))?;
        let said = json["Messages"][0]["Message"].as_str().unwrap_or_default();
        Some(format!("the BMC's task {task} ended as {state}: {}", excerpt(said.as_bytes())))
    }
}

/// Where the answer says that what it made can be found.
fn place_of(answer: &Answer, origin: &str) -> Option<String> {
    let place = answer.location.as_deref()?;
    let place = place.strip_prefix(origin).unwrap_or(place);
    is_path(place).then(|| place.to_owned())
}

pub(super) fn task_of(answer: &Answer, origin: &str) -> Option<String> {
    if answer.status != 202 {
        return None;
    }
    let task = answer.json().ok().and_then(|json| Some(json["@odata.id"].as_str()?.to_owned()));
    task.filter(|task| is_path(task)).or_else(|| place_of(answer, origin))
}

pub(super) fn only_system(systems: &Value) -> Result<String, Trouble> {
    let members = systems["Members"].as_array().map(Vec::as_slice).unwrap_or_default();
    let paths: Vec<&str> = members.iter().filter_map(|member| member["@odata.id"].as_str()).collect();
    match paths[..] {
        [path] if is_path(path) => Ok(path.to_owned()),
        [_] | [] => Err(Trouble::Again("the BMC lists no system".to_owned())),
        _ => {
            let list = excerpt(paths.join(", ").as_bytes());
            Err(Trouble::Final(format!(
                "the BMC has several systems ({list}): name the right one in the site file"
            )))
        }
    }
}

/// Where a reset is asked for; refused if the BMC says that it cannot do ForceOff.
pub(super) fn reset_of(system: &Value) -> Result<String, Trouble> {
    let action = &system["Actions"]["#ComputerSystem.Reset"];
    let target = action["target"].as_str().filter(|target| is_path(target));
    let target = target.ok_or_else(|| Trouble::Again("the BMC offers no ComputerSystem.Reset".to_owned()))?;
    // Absent: not told, or told elsewhere (@Redfish.ActionInfo); then it is tried.
    if let Some(types) = action["ResetType@Redfish.AllowableValues"].as_array() {
        if !types.iter().any(|one| one == "ForceOff") {
            let list = excerpt(Value::from(types.clone()).to_string().as_bytes());
            return Err(Trouble::Final(format!(
                "the BMC cannot do ForceOff, only {list}: it cannot be used for fencing"
            )));
        }
    }
    Ok(target.to_owned())
}

/// A path at this BMC, and nothing that could be read as another address.
pub(super) fn is_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~:@!$&'()*+,;=%".contains(&byte);
    path.starts_with('/') && !path.starts_with("//") && path.len() < 512 && path.bytes().all(plain)
}
