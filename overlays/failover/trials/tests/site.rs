//! A sample of the trials, at one site; all of them: `failover-trials run`. They need root, namespaces and loop devices. Without these
//! nothing is tested, unless `GEMINIOS_ORACLES=required`.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use geminios_failover_trials::round::{round, tell};
use geminios_failover_trials::scenario::{all, by_site, named};
use geminios_failover_trials::site::Site;

/// Why this machine cannot do it.
fn missing() -> Option<String> {
    let tried = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "ip", "link", "add", "x", "type", "veth"])
        .output();
    let why = match tried {
        Ok(output) if output.status.success() && rustix::process::geteuid().is_root() => return None,
        Ok(output) if output.status.success() => {
            "it needs root, as PostgreSQL has a user of its own".to_owned()
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("unshare: {error}"),
    };
    let required = std::env::var_os("GEMINIOS_ORACLES").is_some_and(|value| value == "required");
    assert!(!required, "GEMINIOS_ORACLES=required, but {why}");
    Some(why)
}

fn trials(names: &[&str]) {
    if let Some(why) = missing() {
        eprintln!("NOT TESTED, {names:?}: {why}");
        return;
    }
    let scenarios = named(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    for (sort, scenarios) in by_site(&scenarios) {
        let mut site = Site::up(sort).unwrap();
        for scenario in scenarios {
            match round(&mut site, &scenario) {
                Ok(round) => println!(
                    "{}: {} ms; {}\n{}",
                    scenario.name,
                    round.gap,
                    round.phases,
                    tell(&round.story, round.begun)
                ),
                Err(error) => {
                    panic!("{}: {error:#}\nall of it is in {}", scenario.name, site.keep().display())
                }
            }
        }
        let load = site.load.take().unwrap();
        println!("{}", load.judge(&site.network).unwrap());
    }
}

#[test]
fn nothing_is_lost_when_a_leader_loses_power_is_replaced_and_hands_over() {
    trials(&["leader-power", "leader-postgres-killed", "hand-over"]);
}

#[test]
#[ignore = "takes long: each trial once"]
fn every_trial() {
    trials(&all().iter().map(|scenario| scenario.name).collect::<Vec<_>>());
}
