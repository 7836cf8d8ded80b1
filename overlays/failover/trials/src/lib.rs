//! Trials of the failover agent with all that it really drives: a site of two nodes, a witness and a client on one Linux machine. Each is a set
//! of namespaces whose root is that of a built image; PostgreSQL, Kine, API server and agent run there as on a device, without
//! systemd and without a kernel of their own.
#![forbid(unsafe_code)]

pub mod bmc;
pub mod choice;
pub mod command;
pub mod commits;
mod configure;
pub mod cost;
pub mod detour;
pub mod follow;
pub mod image;
pub mod init;
mod layout;
pub mod load;
pub mod network;
pub mod node;
pub mod options;
pub mod patroni;
pub mod round;
pub mod scenario;
pub mod site;
pub mod sort;
pub mod story;
pub mod table;
mod unit;
pub mod usage;
mod volume;
pub mod writer;
