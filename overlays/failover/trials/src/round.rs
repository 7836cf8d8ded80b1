//! One fault: what the client saw of it, and the steps in between.

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};

use crate::choice::pace;
use crate::load::Gap;
use crate::network::Host;
use crate::scenario::{Expects, Scenario};
use crate::site::Site;
use crate::story::{Phases, Story, now};

/// For writes to go on after a fault; a hang guard, not what is wanted.
const RETURN: Duration = Duration::from_secs(120);
/// The client writes for so long after the first acknowledgement, so that what fails late is seen.
const AFTER: Duration = Duration::from_secs(3);
/// For so long it is looked whether somebody leads where nobody may; longer than it takes where somebody does.
const NOBODY: Duration = Duration::from_secs(8);

pub struct Round {
    pub leader: Host,
    /// Milliseconds from the fault to the end of the longest time without an acknowledged write that it caused. 0: it was not noticed.
    pub gap: u64,
    pub phases: Phases,
    pub story: Story,
    pub begun: u64,
}

/// Does the fault, waits for writes, mends it, and waits until the site is whole.
///
/// # Errors
/// Writes do not go on, the wrong node leads, or the site does not become whole.
pub fn round(site: &mut Site, scenario: &Scenario) -> Result<Round> {
    site.settle()?;
    sleep(AFTER);
    let leader = site.leader()?;
    let (begun, instant) = (now(), rfc3339(SystemTime::now()));
    (scenario.fault)(site, leader)?;
    if scenario.expects == Expects::Nobody {
        sleep(NOBODY);
        if let Ok(leads) = site.leader() {
            bail!("{leads:?} leads, and nobody may\n{}", tell(&site.story(begun, now()), begun));
        }
        (scenario.mend)(site, leader)?;
    }
    let gap = wait_for_writes(site, &instant)?;
    let leads = site.leader().ok();
    let fits = match scenario.expects {
        Expects::Same => leads == Some(leader),
        Expects::Other => leads.is_some_and(|now| now != leader),
        Expects::Any | Expects::Nobody => true,
    };
    let until = now();
    let story = site.story(begun, until);
    if !fits {
        bail!("{leader:?} led, then {leads:?}; expected {:?}\n{}", scenario.expects, tell(&story, begun));
    }
    if scenario.expects != Expects::Nobody {
        (scenario.mend)(site, leader)?;
    }
    site.settle()?;
    let phases = Phases::of(&story, begun, leads.unwrap_or(leader).name());
    Ok(Round { leader, gap: milliseconds(&gap), phases, story, begun })
}

/// Until the client writes without a stop for [`AFTER`].
fn wait_for_writes(site: &Site, fault: &str) -> Result<Gap> {
    let Some(load) = &site.load else { bail!("there is no client") };
    let begun = now();
    sleep(AFTER);
    while now() < begun + (RETURN * pace()).as_millis() as u64 {
        let since = now() - begun;
        if let Some(gap) =
            load.gap(fault)?.filter(|gap| gap.ended && gap.since * 1000.0 + 2000.0 < since as f64)
        {
            return Ok(gap);
        }
        sleep(Duration::from_millis(500));
    }
    bail!("no write was acknowledged within {RETURN:?}\n{}", tell(&site.story(begun, u64::MAX), begun))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn milliseconds(gap: &Gap) -> u64 {
    (gap.since.max(0.0) * 1000.0) as u64
}

/// Each line with its milliseconds after the fault.
#[must_use]
pub fn tell(story: &Story, begun: u64) -> String {
    story
        .0
        .iter()
        .map(|line| format!("  {:>+7} {} {}\n", line.at.saturating_sub(begun), line.host, line.what))
        .collect()
}

/// RFC 3339, in UTC (days from civil, inverse; Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (seconds, nanos) = (since.as_secs(), since.subsec_nanos());
    let (days, time) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (date, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}.{nanos:09}Z",
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_others_do() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000000Z"),
            (1_795_573_351, "2026-11-25T02:22:31.000000000Z"),
        ] {
            assert_eq!(rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
