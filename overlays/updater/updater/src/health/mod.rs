//! Whether the running system does what it is for. A version is blessed when every check has passed for a set time, not when
//! it has booted.

mod checks;
mod config;
mod own;
mod report;
mod trial;

pub use checks::{Check, Checks, Verdict};
pub use config::{Config, ConfigError, FILE};
pub use report::{Phase, Report};
pub use trial::{End, Next, Trial, follow};
