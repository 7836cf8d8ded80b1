//! One file a verb.

pub mod build;
pub mod clean;
pub mod completions;
pub mod diff;
pub mod explain;
pub mod inspect;
pub mod lock;
pub mod relay;
pub mod run;
pub mod schema;
pub mod version;
