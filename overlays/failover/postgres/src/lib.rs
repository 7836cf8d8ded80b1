//! Brings the PostgreSQL of one node to the goal that the core of the failover agent names, and says what it is.
//!
//! The safety of acknowledged writes rests on what is said; README.md beside this crate has the rules and the order of steps.
#![forbid(unsafe_code)]

mod act;
mod conf;
mod control;
mod copies;
mod driver;
mod error;
mod files;
mod fork;
mod history;
mod job;
mod leader;
mod look;
mod lsn;
mod phase;
mod plan;
#[cfg(test)]
mod plan_tests;
mod processes;
mod report;
mod seen;
mod service;
mod settings;
mod silence;
mod sql;
mod worker;

pub use driver::{Driver, Report};
pub use error::Error;
pub use fork::Kept;
pub use geminios_failover_core::{Goal, Postgres};
pub use lsn::Lsn;
pub use phase::{Metrics, Moment, Phase};
pub use service::{Direct, Service, Stop, Systemd};
pub use settings::{ForkLimits, Limits, Peer, Settings, Tls};
