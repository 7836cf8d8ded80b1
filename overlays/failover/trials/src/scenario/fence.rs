//! A site that has no witness: one node switches the other one off.

use anyhow::Result;

use super::{Expects, LOST, Scenario, cut, heal, on};
use crate::bmc::{self, Manner};
use crate::network::Host;
use crate::site::Site;
use crate::sort::Sort;

macro_rules! is_not_seen_off {
    ($name:literal, $manner:expr) => {
        Scenario {
            name: $name,
            site: Sort::Fence,
            expects: Expects::Nobody,
            wanted: None,
            fault: |site, leader| {
                behaves(site, leader, $manner)?;
                cut(site, leader)
            },
            mend: |site, leader| {
                behaves(site, leader, Manner::Works)?;
                on(site, leader)
            },
        }
    };
}

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "fence-leader-power",
        site: Sort::Fence,
        expects: Expects::Other,
        wanted: LOST,
        fault: cut,
        mend: on,
    },
    Scenario {
        name: "fence-link-cut",
        site: Sort::Fence,
        expects: Expects::Same,
        wanted: LOST,
        fault: |site, _| site.network.lose_between(Host::A, Host::B, 100),
        mend: |site, leader| {
            heal(site, leader)?;
            on(site, leader.other())
        },
    },
    is_not_seen_off!("fence-fails", Manner::Fails),
    is_not_seen_off!("fence-hangs", Manner::Hangs),
    is_not_seen_off!("fence-lies", Manner::Lies),
];

/// What has power over this machine.
fn behaves(site: &mut Site, of: Host, manner: Manner) -> Result<()> {
    bmc::set(site.node(of).0, manner)
}
