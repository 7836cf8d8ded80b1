//! What a person sees of a node.

use geminios_failover_core::{Postgres, Side, Stored};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It serves, and each commit waits for the standby.
    Leader,
    /// It serves, and acknowledges what the other node does not have.
    LeaderAlone,
    /// The role is its, but it may not or cannot serve now.
    LeaderNotServing,
    /// It follows and has everything: it may lead next.
    Standby,
    /// It follows and may lack what was acknowledged.
    StandbyBehind,
}

/// One node, seen by its agent. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub me: Side,
    pub role: Role,
    pub stored: Stored,
    pub postgres: Postgres,
    /// The epoch in which clients are served here.
    pub serves: Option<u64>,
    /// Since the other node was heard; nothing if it was not since this start.
    pub heard: Option<u64>,
    /// What the other node says of its PostgreSQL.
    pub peer: Option<Postgres>,
    /// How long this node may serve from now on, if it hears nothing more; nothing while there is no such end.
    pub serves_for: Option<u64>,
    /// This node leads alone since it had the other one switched off, and saw it to be off so long ago. Nothing once the other one was
    /// heard again, and after a start: it is what was seen, not what was decided.
    pub fenced: Option<u64>,
}
