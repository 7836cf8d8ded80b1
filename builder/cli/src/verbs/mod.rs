//! One file a verb.

pub mod build;
pub mod bundle;
pub mod clean;
pub mod completions;
pub mod diff;
pub mod explain;
pub mod failover;
pub mod inspect;
pub mod keys;
pub mod lock;
pub mod publish;
pub mod relay;
pub mod run;
pub mod schema;
pub mod serve;
pub mod status;
pub mod verify;
pub mod version;
