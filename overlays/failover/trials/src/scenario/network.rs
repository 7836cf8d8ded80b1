//! Cables, and what comes through them.

use std::thread::sleep;
use std::time::Duration;

use super::{DIED, Expects, LOST, Scenario, heal};
use crate::network::{Host, Loss};
use crate::sort::Sort;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "link-cut",
        site: Sort::Witness,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, _| site.network.lose_between(Host::A, Host::B, 100),
        mend: heal,
    },
    Scenario {
        name: "leader-uplink-cut",
        site: Sort::Witness,
        expects: Expects::Other,
        wanted: LOST,
        fault: |site, leader| site.network.plug(leader, false),
        mend: |site, leader| site.network.plug(leader, true),
    },
    Scenario {
        name: "standby-uplink-cut",
        site: Sort::Witness,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| site.network.plug(leader.other(), false),
        mend: |site, leader| site.network.plug(leader.other(), true),
    },
    Scenario {
        name: "leader-heard-no-more",
        site: Sort::Witness,
        expects: Expects::Any,
        wanted: LOST,
        fault: |site, leader| site.network.lose(&[Loss { from: leader, to: leader.other(), percent: 100 }]),
        mend: heal,
    },
    Scenario {
        name: "standby-heard-no-more",
        site: Sort::Witness,
        expects: Expects::Any,
        wanted: LOST,
        fault: |site, leader| site.network.lose(&[Loss { from: leader.other(), to: leader, percent: 100 }]),
        mend: heal,
    },
    Scenario {
        name: "loss-of-30-percent",
        site: Sort::Witness,
        expects: Expects::Any,
        wanted: None,
        fault: |site, _| {
            site.network.lose_between(Host::A, Host::B, 30)?;
            sleep(Duration::from_secs(20));
            Ok(())
        },
        mend: heal,
    },
    Scenario {
        name: "leader-2-s-late",
        site: Sort::Witness,
        expects: Expects::Any,
        wanted: None,
        fault: |site, leader| site.detour(leader, Duration::from_secs(2), None),
        mend: |site, _| site.network.straight(),
    },
    Scenario {
        name: "leader-repeated",
        site: Sort::Witness,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| {
            site.detour(leader, Duration::ZERO, Some(Duration::from_secs(5)))?;
            sleep(Duration::from_secs(15));
            Ok(())
        },
        mend: |site, _| site.network.straight(),
    },
];
