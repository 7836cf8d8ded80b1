//! The peer, asked as a leader.

use std::{fs, path::Path};

use crate::{
    Lsn, Settings,
    control::{Control, Was},
    history,
};

/// What the peer says when it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pub system: u64,
    /// Of its leadership.
    pub epoch: Option<u64>,
    pub timeline: u32,
    pub history: String,
    /// The oldest file of its log.
    pub oldest: u64,
    /// Our slot there reserves what we need from now on.
    pub slot: bool,
    /// Our WAL receiver is connected there.
    pub connected: bool,
}

/// One row, one column: what psql prints is taken apart at `|`. The history is of the leader's own timeline.
pub(crate) fn question(settings: &Settings) -> String {
    let name = &settings.name;
    format!(
        "select concat_ws('|', (select system_identifier from pg_control_system()), coalesce(current_setting('geminios.epoch', true), ''),
  ('x' || left(file, 8))::bit(32)::int, (select min(substr(name, 9)) from pg_ls_waldir() where name ~ '^[0-9A-F]{{24}}$'),
  coalesce((select restart_lsn is not null and wal_status <> 'lost' from pg_replication_slots where slot_name = '{name}'), false),
  coalesce((select active from pg_replication_slots where slot_name = '{name}'), false),
  encode(coalesce(pg_read_binary_file('pg_wal/' || left(file, 8) || '.history', 0, 1000000, true), ''), 'hex'))
from pg_walfile_name(pg_current_wal_insert_lsn()) as file"
    )
}

pub(crate) fn parse(text: &str) -> Option<Leader> {
    let part: Vec<_> = text.trim().split('|').collect();
    let [system, epoch, timeline, oldest, slot, connected, history] = part[..] else { return None };
    let history: Option<Vec<u8>> = (0..history.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(history.get(at..at + 2)?, 16).ok())
        .collect();
    Some(Leader {
        system: system.parse().ok()?,
        epoch: epoch.parse().ok(),
        timeline: timeline.parse().ok()?,
        history: String::from_utf8(history?).ok()?,
        oldest: crate::lsn::segment_of_file(&format!("00000000{oldest}"))?.1,
        slot: slot == "t",
        connected: connected == "t",
    })
}

/// What has to be done to this node's data before it can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// It went its own way from this timeline and place on.
    Rewind {
        fork: Option<Fork>,
    },
    Copy {
        fork: Option<Fork>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fork {
    pub timeline: u32,
    pub from: Lsn,
}

/// Compares a cluster that does not run with the leader's history.
pub(crate) fn need(control: &Control, data: &Path, leader: &Leader) -> Need {
    let whole = Some(Fork { timeline: control.timeline, from: Lsn(0) });
    if control.system != leader.system {
        return Need::Copy { fork: whole };
    }
    // A copy that never ran: what pg_control says is the leader's.
    if data.join("backup_label").exists() {
        return Need::Nothing;
    }
    if control.timeline == leader.timeline {
        let own = fs::read_to_string(data.join(format!("pg_wal/{:08X}.history", control.timeline)));
        // Each leadership begins a timeline. Two primaries of one are copies that went apart, and pg_rewind would see no difference.
        let same = control.was == Was::Standby && own.map_or(true, |own| own == leader.history);
        return if same { Need::Nothing } else { Need::Copy { fork: whole } };
    }
    match (history::left(&history::parse(&leader.history), control.timeline), control.was) {
        (None, _) => Need::Rewind { fork: whole },
        (Some(at), Was::Primary { stopped: true }) if control.checkpoint < at => Need::Nothing,
        // What it replayed too much shows when it does not stream.
        (Some(_), Was::Standby) => Need::Nothing,
        (Some(at), Was::Primary { .. }) => {
            Need::Rewind { fork: Some(Fork { timeline: control.timeline, from: at }) }
        }
    }
}
