//! Power cuts: at every write boundary of an update the machine boots the old or the new system, and goes on.
#![allow(clippy::unwrap_used)]

mod boot;
mod cut;
mod device;
mod fat;
mod faults;
mod gpt;
mod machine;
mod mutations;
mod oracle;
mod scenarios;
mod texts;
mod updater;
mod world;
