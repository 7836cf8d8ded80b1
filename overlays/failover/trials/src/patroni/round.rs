//! One fault, and how long nothing was acknowledged.

use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};

use super::cluster::Cluster;
use crate::network::Host;
use crate::story::now;
use crate::writer::Silence;

/// Before a fault, and after the first acknowledgement, so that what fails late is seen.
const AFTER: Duration = Duration::from_secs(3);
/// A hang guard.
const RETURN: Duration = Duration::from_secs(180);

pub struct Fault {
    pub name: &'static str,
    make: fn(&mut Cluster, Host) -> Result<()>,
}

pub const FAULTS: &[Fault] = &[
    Fault { name: "leader-power", make: Cluster::power_cut },
    Fault { name: "switchover", make: |cluster, _| cluster.switch_over() },
    Fault { name: "leader-postgres-killed", make: Cluster::kill_postgresql },
];

pub struct Round {
    pub led: Host,
    pub leads: Option<Host>,
    /// Milliseconds from the fault to the first acknowledged write.
    pub since: u64,
    /// Milliseconds without an acknowledged write.
    pub without: u64,
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round { led, leads, since, without } = self;
        write!(f, "{since} ms; {without} ms without a write; {led:?} led, then {leads:?}")
    }
}

/// Does the fault, waits for writes, and until the node that was lost is a synchronous standby again.
///
/// # Errors
/// Writes do not go on, or the cluster does not become whole.
pub fn round(cluster: &mut Cluster, fault: &Fault, number: usize) -> Result<Round> {
    cluster.settle()?;
    sleep(AFTER + phase(number, cluster.lease.loop_wait));
    let led = cluster.leader()?;
    let begun = now();
    (fault.make)(cluster, led)?;
    let silence = wait_for_writes(cluster, begun)?;
    let leads = cluster.leader().ok();
    cluster.power_on_what_is_off()?;
    cluster.settle()?;
    Ok(Round { led, leads, since: silence.to - begun, without: silence.to - silence.from })
}

/// Where a fault falls between two renewals of the lease decides what is left of it. After a change of the leader the loops begin anew, so
/// the same wait would always meet the same place: these are spread evenly (steps of the golden ratio).
fn phase(number: usize, loop_wait: u32) -> Duration {
    Duration::from_secs(loop_wait.into()).mul_f64((number as f64 * 0.618_034).fract())
}

fn wait_for_writes(cluster: &Cluster, begun: u64) -> Result<Silence> {
    let waits = now();
    while now() < waits + RETURN.as_millis() as u64 {
        sleep(AFTER / 6);
        let acknowledged = cluster.acknowledged()?;
        let after = AFTER.as_millis() as u64;
        let goes_on = acknowledged.last().is_some_and(|last| now() < last + 500);
        let silence = acknowledged.silence(begun).filter(|silence| silence.to + after < now());
        if let Some(silence) = silence.filter(|_| goes_on && waits + after < now()) {
            return Ok(silence);
        }
    }
    bail!("no write was acknowledged within {RETURN:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_fall_everywhere_between_two_renewals() {
        let mut tenths: Vec<u64> =
            (1..=20).map(|number| phase(number, 10).as_millis() as u64 / 1000).collect();
        tenths.sort_unstable();
        tenths.dedup();
        assert_eq!(tenths, (0..10).collect::<Vec<_>>());
    }
}
