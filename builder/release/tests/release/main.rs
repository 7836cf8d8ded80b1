//! Releases from made-up images: published, bundled, verified, damaged, interrupted.
#![allow(clippy::unwrap_used)]

mod damage;
mod encodings;
mod interruption;
mod judge;
mod keys;
mod made;
mod publish;
