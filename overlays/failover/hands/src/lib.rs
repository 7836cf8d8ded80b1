//! The hands of the failover agent: they carry out what its core decides, and decide nothing.
//!
//! [`address`] holds the site's addresses, [`watchdog`] feeds the device that resets a node which hangs, [`fence`] switches the other
//! node off and sees that it is, [`follow`] tells the site's own program who leads.

pub mod address;
mod cancel;
pub mod fence;
pub mod follow;
mod process;
pub mod watchdog;

pub use cancel::Cancel;

use std::sync::Arc;

/// Where a line for the agent's log goes. Called from threads of this crate; it must not block.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;
