//! The room as a whole: real servers on loopback, real processes, real full disks.

mod apart;
mod bad_mirrors;
mod child;
mod downloads;
mod mirrors;
mod proxies;
mod registries;
mod server;
mod steps;
mod store;
mod world;
