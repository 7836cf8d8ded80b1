//! One process dies on a machine that goes on.

use super::{DIED, Expects, Scenario, kill, nothing};
use crate::network::Host;
use crate::sort::Sort;

macro_rules! kills {
    ($name:literal, $unit:literal, $pick:expr, $expects:expr) => {
        Scenario {
            name: $name,
            site: Sort::Witness,
            expects: $expects,
            wanted: DIED,
            fault: |site, leader| kill(site, $pick(leader), $unit),
            mend: nothing,
        }
    };
}

const fn same(host: Host) -> Host {
    host
}

pub const ALL: &[Scenario] = &[
    kills!("leader-postgres-killed", "postgres", same, Expects::Any),
    kills!("leader-kine-killed", "kine", same, Expects::Same),
    kills!("leader-apiserver-killed", "kube-apiserver", same, Expects::Same),
    kills!("leader-agent-killed", "agent", same, Expects::Any),
    kills!("standby-postgres-killed", "postgres", Host::other, Expects::Same),
    kills!("standby-kine-killed", "kine", Host::other, Expects::Same),
    kills!("standby-apiserver-killed", "kube-apiserver", Host::other, Expects::Same),
    kills!("standby-agent-killed", "agent", Host::other, Expects::Same),
];
