//! The index of a release: what is read, what is refused, what is chosen.
#![allow(clippy::unwrap_used)]

mod choose;
mod chunks;
mod contract;
mod listed;
mod made;
mod parse;
