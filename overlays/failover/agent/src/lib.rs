//! The failover agent around the core: what a node says to the other, what it keeps on disk, and who carries out what the core
//! wants. No I/O here either: [`Hands`] does that, on a device or in a simulator.
#![forbid(unsafe_code)]

mod agent;
pub mod line;
mod status;
mod stored;
mod timeline;

pub use agent::{Agent, Ended, Hands, Input, Told};
pub use line::{Key, Line, Refused};
pub use status::{Role, Status};
pub use stored::{StoredError, read, write};
pub use timeline::{Change, Timeline};
