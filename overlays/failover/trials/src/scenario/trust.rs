//! The witness, and keys.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::{DIED, Expects, Scenario, cut, on};
use crate::layout;
use crate::network::Host;
use crate::site::Site;
use crate::sort::Sort;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "witness-away",
        site: Sort::Witness,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, _| {
            site.stop_witness()?;
            sleep(Duration::from_secs(5));
            Ok(())
        },
        mend: |site, _| site.start_witness(),
    },
    Scenario {
        name: "witness-and-leader-away",
        site: Sort::Witness,
        expects: Expects::Nobody,
        wanted: None,
        fault: leader_and_witness_lost,
        mend: |site, leader| {
            sleep(Duration::from_secs(5));
            site.start_witness()?;
            on(site, leader)
        },
    },
    Scenario {
        name: "person-names-leader",
        site: Sort::Witness,
        expects: Expects::Nobody,
        wanted: None,
        fault: leader_and_witness_lost,
        mend: |site, leader| {
            site.node(leader.other()).0.ask("lead the-other-node-is-off")?;
            site.until("the named one leads", |site| site.leads_alone(leader.other()))?;
            site.start_witness()?;
            on(site, leader)
        },
    },
    Scenario {
        name: "witness-set-back",
        site: Sort::Witness,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| {
            site.set_witness_back(|site| {
                cut(site, leader.other())?;
                site.until("the leader goes on alone", |site| site.leads_alone(leader))
            })
        },
        mend: |site, leader| on(site, leader.other()),
    },
    Scenario {
        name: "standby-has-another-key",
        site: Sort::Witness,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| change_key(site, leader.other(), |key| key.chars().rev().collect()),
        mend: |site, leader| change_key(site, leader.other(), |key| key.chars().rev().collect()),
    },
];

/// The agent reads its key when it starts.
fn change_key(site: &mut Site, host: Host, change: fn(&str) -> String) -> Result<()> {
    let (node, _) = site.node(host);
    let key = std::fs::read_to_string(node.path(layout::KEY))?;
    node.write(layout::KEY, &change(key.trim()), 0o600)?;
    node.order("kill agent").map(drop)
}

fn leader_and_witness_lost(site: &mut Site, leader: Host) -> Result<()> {
    site.stop_witness()?;
    cut(site, leader)
}
