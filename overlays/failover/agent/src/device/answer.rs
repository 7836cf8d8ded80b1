//! The answer to `status`: what the agent knows of its node, and what of it only a device knows.

use geminios_failover::{Agent, Change, Status};
use geminios_failover_core::Instant;
use serde::Serialize;

use super::hands::Device;
use super::settings::Means;

#[derive(Serialize)]
pub struct Answer<'a> {
    /// Milliseconds since the machine started, as are the times of changes.
    at: Instant,
    decides: Means,
    #[serde(flatten)]
    status: Status,
    /// Bytes that the standby has not flushed, or this node not replayed.
    lag: u64,
    /// Of the leader, since the agent started; the newest last.
    changes: &'a [Change],
}

impl<'a> Answer<'a> {
    pub fn of(at: Instant, agent: &Agent, device: &'a Device) -> Self {
        Answer {
            at,
            decides: device.decides,
            status: agent.status(at),
            lag: device.metrics().lag,
            changes: device.story.timeline.changes(),
        }
    }

    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| error.to_string())
    }
}
