//! Whole machines.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;

use super::{DIED, Expects, LOST, Scenario, cut, nothing, on};
use crate::network::Host;
use crate::site::Site;
use crate::sort::Sort;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "leader-power",
        site: Sort::Witness,
        expects: Expects::Other,
        wanted: LOST,
        fault: cut,
        mend: on,
    },
    Scenario {
        name: "standby-power",
        site: Sort::Witness,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| cut(site, leader.other()),
        mend: |site, leader| on(site, leader.other()),
    },
    Scenario {
        name: "hand-over",
        site: Sort::Witness,
        expects: Expects::Other,
        wanted: Some((2000, 10_000)),
        fault: |site, leader| site.node(leader).0.ask("hand-over").map(drop),
        mend: nothing,
    },
    Scenario {
        name: "leader-frozen",
        site: Sort::Witness,
        expects: Expects::Other,
        wanted: LOST,
        fault: |site, leader| site.node(leader).0.signal_all(Signal::STOP),
        mend: |site, leader| site.node(leader).0.signal_all(Signal::CONT),
    },
    Scenario {
        name: "standby-far-behind",
        site: Sort::Witness,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| {
            cut(site, leader.other())?;
            site.until("the leader goes on alone", |site| site.leads_alone(leader))?;
            outrun_slot(site, leader)
        },
        mend: |site, leader| on(site, leader.other()),
    },
    Scenario {
        name: "both-power-leader-first",
        site: Sort::Witness,
        expects: Expects::Nobody,
        wanted: None,
        fault: both_off,
        mend: |site, leader| {
            on(site, leader)?;
            sleep(Duration::from_secs(5));
            on(site, leader.other())
        },
    },
    Scenario {
        name: "both-power-standby-first",
        site: Sort::Witness,
        expects: Expects::Nobody,
        wanted: None,
        fault: both_off,
        mend: |site, leader| {
            on(site, leader.other())?;
            sleep(Duration::from_secs(5));
            on(site, leader)
        },
    },
];

/// More log than is kept for a standby: it has to be made anew.
fn outrun_slot(site: &mut Site, host: Host) -> Result<()> {
    let psql = [
        "psql",
        "--no-psqlrc",
        "--host=/run/postgresql",
        "--username=postgres",
        "--tuples-only",
        "--command",
    ];
    let sql = |site: &mut Site, text: &str| site.node(host).0.run(&[&psql[..], &[text]].concat());
    let before = sql(site, "SELECT max(restart_lsn) FROM pg_replication_slots")?;
    for _ in 0..8 {
        sql(site, "SELECT pg_logical_emit_message(false, 'trial', repeat('x', 20000000)), pg_switch_wal()")?;
    }
    sql(site, "CHECKPOINT")?;
    // The driver may have made a new one already.
    let is_old = format!("wal_status <> 'lost' AND restart_lsn <= '{}'", before.trim());
    let kept = sql(site, &format!("SELECT count(*) FROM pg_replication_slots WHERE {is_old}"))?;
    if kept.trim() != "0" {
        bail!("the slot of a standby that is far behind is still kept");
    }
    Ok(())
}

fn both_off(site: &mut Site, leader: Host) -> Result<()> {
    cut(site, leader)?;
    cut(site, leader.other())
}
