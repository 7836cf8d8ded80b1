//! `geminios status` and `geminios failover` against the real management ports of two nodes, whose failover agents are the test's. A host
//! that can compile no Go skips them with a word; GEMINIOS_ORACLES=required makes it fail.

#![allow(clippy::unwrap_used)]

mod agent;
mod certificates;
mod certified;
#[path = "../project/mod.rs"]
mod project;
mod site;
mod verbs;
