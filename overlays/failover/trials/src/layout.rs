//! Where things are on a node, as it sees them. What the host reaches too is below `/var/trial`.

pub const TRIAL: &str = "/var/trial";
pub const UNITS: &str = "/var/trial/units.json";
/// Orders to the first process.
pub const CONTROL: &str = "/var/trial/control";
/// Questions to the agent.
pub const AGENT: &str = "/var/trial/agent";
pub const FOLLOW: &str = "/var/trial/follow";
pub const SETTINGS: &str = "/var/trial/failover.toml";
pub const KEY: &str = "/var/trial/site.key";
pub const WITNESS_KEY: &str = "/var/trial/witness.key";
/// When programs began and ended, and what the one that follows the leader did.
pub const LOG: &str = "/var/trial/machine.log";
/// How what has power over this machine behaves: see [`crate::bmc`].
pub const BMC: &str = "/var/trial/bmc";
/// Where a machine that has power over the other one reaches it: that one's `/var/trial`.
pub const OTHER: &str = "/run/other";
pub const FENCE: &str = "/var/trial/fence";
pub const LOGS: &str = "/var/log";
pub const STATE: &str = "/var/lib/geminios-failover";
pub const KUBERNETES: &str = "/var/lib/kubernetes";
pub const POSTGRESQL: &str = "/var/lib/postgresql/17";
pub const DATA: &str = "/var/lib/postgresql/17/main";
pub const OWN: &str = "/var/lib/postgresql/17/failover";
pub const CONFIG: &str = "/etc/postgresql";
pub const BINARIES: &str = "/usr/lib/postgresql/17/bin";

/// What the agent's settings name.
pub struct Paths {
    pub key: &'static str,
    pub state: &'static str,
    pub agent: &'static str,
    pub follow: &'static str,
    pub witness_key: &'static str,
    pub data: &'static str,
    pub own: &'static str,
    pub binaries: &'static str,
    pub config: &'static str,
}

pub const PATHS: Paths = Paths {
    key: KEY,
    state: STATE,
    agent: AGENT,
    follow: FOLLOW,
    witness_key: WITNESS_KEY,
    data: DATA,
    own: OWN,
    binaries: BINARIES,
    config: CONFIG,
};
