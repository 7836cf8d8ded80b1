//! Scenarios as judge/client.py reads them, run by our client.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use geminios_update_format::name::TargetName;
use geminios_update_format::{Digest, Error, State};
use serde_json::Value;

use crate::made::{date, refresh_by};

/// What a client downloaded, name → SHA-256; or why not.
pub type Verdict<E> = Result<BTreeMap<String, String>, E>;

/// One verdict for each step, from a state that is kept between them.
pub fn run(base: &Path, scenario: &Value) -> Vec<Verdict<Error>> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let root = fs::read(base.join(text(&scenario["root"]))).unwrap();
    let steps = scenario["steps"].as_array().unwrap();
    let mut state = match State::of_root(&root) {
        Ok(state) => state,
        Err(error) => return steps.iter().map(|_| Err(error.clone())).collect(),
    };
    let step = |step: &Value| {
        let folder = base.join(text(&step["repository"]));
        let targets = step["targets"].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
        one_step(&folder, &mut state, date(step["now"].as_str().unwrap()), &targets)
    };
    steps.iter().map(step).collect()
}

fn one_step(folder: &Path, state: &mut State, now: u64, targets: &[String]) -> Verdict<Error> {
    let server = |name: &str| fs::read(folder.join("metadata").join(name)).ok();
    let trusted = refresh_by(&server, state, now)?;
    let download = |name: &String| {
        let target = trusted.target(&TargetName::parse(name).unwrap())?;
        let bytes = fs::read(folder.join("targets").join(target.path())).unwrap();
        target.check(&bytes)?;
        Ok((name.clone(), Digest::of(&bytes).to_string()))
    };
    targets.iter().map(download).collect()
}

/// The verdicts of python-tuf, as client.py prints them.
pub fn theirs(verdicts: &Value) -> Vec<Verdict<String>> {
    let verdict = |value: &Value| match value["error"].as_str() {
        Some(error) => Err(format!("{error}: {}", value["message"].as_str().unwrap())),
        None => Ok(serde_json::from_value(value["targets"].clone()).unwrap()),
    };
    verdicts.as_array().unwrap().iter().map(verdict).collect()
}

/// For messages.
pub fn shown<E: std::fmt::Display>(verdicts: &[Verdict<E>]) -> String {
    let one = |verdict: &Verdict<E>| match verdict {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    verdicts.iter().map(one).collect::<Vec<_>>().join("\n    ")
}
