//! A disk that is full, or takes nothing and says nothing.

use super::{DIED, Expects, LOST, Scenario};
use crate::sort::Sort;

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "leader-disk-full",
        site: Sort::Disks,
        expects: Expects::Other,
        wanted: LOST,
        fault: |site, leader| site.volume(leader)?.fill(),
        mend: |site, leader| site.volume(leader)?.empty(),
    },
    Scenario {
        name: "standby-disk-full",
        site: Sort::Disks,
        expects: Expects::Same,
        wanted: DIED,
        fault: |site, leader| site.volume(leader.other())?.fill(),
        mend: |site, leader| site.volume(leader.other())?.empty(),
    },
    Scenario {
        name: "leader-disk-hangs",
        site: Sort::Disks,
        expects: Expects::Other,
        // The disk has five seconds to answer.
        wanted: Some((9000, 12_000)),
        fault: |site, leader| site.volume(leader)?.freeze(),
        mend: |site, leader| site.volume(leader)?.thaw(),
    },
    Scenario {
        name: "standby-disk-hangs",
        site: Sort::Disks,
        expects: Expects::Same,
        wanted: Some((9000, 12_000)),
        fault: |site, leader| site.volume(leader.other())?.freeze(),
        mend: |site, leader| site.volume(leader.other())?.thaw(),
    },
];
