//! The format of signed updates: the metadata that says what may be trusted, and the index of a release that says how its
//! bytes are got. The builder writes it and the device reads it.
//!
//! Pure: no I/O, no clock, no random numbers. Bytes and the time come in; values, and the names of what to fetch next, go out.
//!
//! - [`client`] follows the client workflow of The Update Framework (TUF, specification 1.0), step by step.
//! - [`write`] makes metadata from plain values. Signatures come from outside, so that keys may stay offline.
//! - [`release`] is the index of one release, the choice of the cheapest encoding, and the check of the data contract.
//! - [`bundle`] is the same repository as one file.
//!
//! README.md beside this crate has the layout of a repository, the order of checks and all bounds.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod client;
pub mod digest;
pub mod error;
mod fields;
pub mod json;
pub mod key;
pub mod metadata;
pub mod name;
pub mod release;
pub mod time;
pub mod write;

pub use client::{Client, Fetch, State, Step, Trusted};
pub use digest::Digest;
pub use error::{Error, Kind};
pub use time::UnixTime;
