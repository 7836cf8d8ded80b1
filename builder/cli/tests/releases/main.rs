//! Signed updates at the command: keys, publish, bundle, verify, serve, on small builds made here. What a person sees is in
//! `snapshots/`; each line that begins with `$` is what was typed.
#![allow(clippy::unwrap_used)]

mod damage;
mod judge;
mod made;
mod refusals;
mod serve;
mod story;
