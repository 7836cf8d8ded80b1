//! Two real clusters of PostgreSQL 16 or later on loopback, each with a driver. `GEMINIOS_POSTGRES` names the folder of its programs;
//! without it, that of a Debian package is taken, or the image's. Where there is none, nothing is tested, unless
//! `GEMINIOS_ORACLES=required`.
#![allow(clippy::unwrap_used)]

mod copies;
mod faults;
mod figures;
mod node;
mod place;
mod process;
mod returns;
mod sync;
mod tls;
