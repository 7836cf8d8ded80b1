//! What goes wrong, and how it is mended.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use rustix::process::Signal;

use crate::layout;
use crate::network::{Host, Loss};
use crate::site::Site;

/// A fault at a site that is whole. Afterwards it is mended, and the site has to be whole again by itself.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub expects: Expects,
    /// Milliseconds to the first acknowledged write that are wanted: median and 99th percentile.
    pub wanted: Option<(u64, u64)>,
    pub fault: fn(&mut Site, Host) -> Result<()>,
    pub mend: fn(&mut Site, Host) -> Result<()>,
}

/// Who leads after the fault, before it is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expects {
    Other,
    Same,
    /// As it comes.
    Any,
    /// Nobody: nothing is acknowledged until it is mended.
    Nobody,
}

const LOST: Option<(u64, u64)> = Some((6000, 10_000));
const DIED: Option<(u64, u64)> = Some((3000, 10_000));

fn kill(site: &mut Site, host: Host, unit: &str) -> Result<()> {
    site.node(host).0.order(&format!("kill {unit}")).map(drop)
}

fn cut(site: &mut Site, host: Host) -> Result<()> {
    let (node, network) = site.node(host);
    node.power_cut(network)
}

fn on(site: &mut Site, host: Host) -> Result<()> {
    let (node, network) = site.node(host);
    node.power_on(network)
}

fn nothing(_: &mut Site, _: Host) -> Result<()> {
    Ok(())
}

fn heal(site: &mut Site, _: Host) -> Result<()> {
    site.network.lose(&[])
}

fn other(host: Host) -> Host {
    if host == Host::A { Host::B } else { Host::A }
}

macro_rules! kills {
    ($name:literal, $unit:literal, $pick:expr, $expects:expr) => {
        Scenario {
            name: $name,
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
    Scenario { name: "leader-power", expects: Expects::Other, wanted: LOST, fault: cut, mend: on },
    Scenario {
        name: "standby-power",
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| cut(site, other(leader)),
        mend: |site, leader| on(site, other(leader)),
    },
    Scenario {
        name: "hand-over",
        expects: Expects::Other,
        wanted: Some((2000, 10_000)),
        fault: |site, leader| site.node(leader).0.ask("hand-over").map(drop),
        mend: nothing,
    },
    kills!("leader-postgres-killed", "postgres", same, Expects::Any),
    kills!("leader-kine-killed", "kine", same, Expects::Same),
    kills!("leader-apiserver-killed", "kube-apiserver", same, Expects::Same),
    kills!("leader-agent-killed", "agent", same, Expects::Any),
    kills!("standby-postgres-killed", "postgres", other, Expects::Same),
    kills!("standby-kine-killed", "kine", other, Expects::Same),
    kills!("standby-apiserver-killed", "kube-apiserver", other, Expects::Same),
    kills!("standby-agent-killed", "agent", other, Expects::Same),
    Scenario {
        name: "link-cut",
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, _| site.network.lose_between(Host::A, Host::B, 100),
        mend: heal,
    },
    Scenario {
        name: "leader-uplink-cut",
        expects: Expects::Other,
        wanted: LOST,
        fault: |site, leader| site.network.plug(leader, false),
        mend: |site, leader| site.network.plug(leader, true),
    },
    Scenario {
        name: "standby-uplink-cut",
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| site.network.plug(other(leader), false),
        mend: |site, leader| site.network.plug(other(leader), true),
    },
    Scenario {
        name: "leader-heard-no-more",
        expects: Expects::Any,
        wanted: LOST,
        fault: |site, leader| site.network.lose(&[Loss { from: leader, to: other(leader), percent: 100 }]),
        mend: heal,
    },
    Scenario {
        name: "standby-heard-no-more",
        expects: Expects::Any,
        wanted: LOST,
        fault: |site, leader| site.network.lose(&[Loss { from: other(leader), to: leader, percent: 100 }]),
        mend: heal,
    },
    Scenario {
        name: "loss-of-30-percent",
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
        name: "leader-frozen",
        expects: Expects::Other,
        wanted: LOST,
        fault: |site, leader| site.node(leader).0.signal_all(Signal::STOP),
        mend: |site, leader| site.node(leader).0.signal_all(Signal::CONT),
    },
    Scenario {
        name: "witness-away",
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
        expects: Expects::Nobody,
        wanted: None,
        fault: |site, leader| {
            site.stop_witness()?;
            cut(site, leader)
        },
        mend: |site, leader| {
            sleep(Duration::from_secs(5));
            site.start_witness()?;
            on(site, leader)
        },
    },
    Scenario {
        name: "witness-set-back",
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| {
            site.set_witness_back(|site| {
                cut(site, other(leader))?;
                site.until("the leader goes on alone", |site| role_of(site, leader) == "leader-alone")
            })
        },
        mend: |site, leader| on(site, other(leader)),
    },
    Scenario {
        name: "standby-has-another-key",
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| change_key(site, other(leader), |key| key.chars().rev().collect()),
        mend: |site, leader| change_key(site, other(leader), |key| key.chars().rev().collect()),
    },
    Scenario {
        name: "standby-far-behind",
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| {
            cut(site, other(leader))?;
            site.until("the leader goes on alone", |site| role_of(site, leader) == "leader-alone")?;
            outrun_slot(site, leader)
        },
        mend: |site, leader| on(site, other(leader)),
    },
    Scenario {
        name: "both-power-leader-first",
        expects: Expects::Nobody,
        wanted: None,
        fault: both_off,
        mend: |site, leader| {
            on(site, leader)?;
            sleep(Duration::from_secs(5));
            on(site, other(leader))
        },
    },
    Scenario {
        name: "both-power-standby-first",
        expects: Expects::Nobody,
        wanted: None,
        fault: both_off,
        mend: |site, leader| {
            on(site, other(leader))?;
            sleep(Duration::from_secs(5));
            on(site, leader)
        },
    },
];

fn role_of(site: &Site, host: Host) -> String {
    if host == Host::A { site.a.role() } else { site.b.role() }.unwrap_or_default()
}

/// The agent reads its key when it starts.
fn change_key(site: &mut Site, host: Host, change: fn(&str) -> String) -> Result<()> {
    let (node, _) = site.node(host);
    let key = std::fs::read_to_string(node.path(layout::KEY))?;
    node.write(layout::KEY, &change(key.trim()), 0o600)?;
    node.order("kill agent").map(drop)
}

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
    cut(site, other(leader))
}

/// Those of these names, or all.
///
/// # Errors
/// There is none of that name.
pub fn named(names: &[String]) -> Result<Vec<Scenario>> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    let find = |name: &String| match ALL.iter().find(|scenario| scenario.name == name.as_str()) {
        Some(scenario) => Ok(*scenario),
        None => bail!("there is no trial `{name}`\n  help: `failover-trials list` names them"),
    };
    names.iter().map(find).collect()
}
