//! A site that runs, from afar: the management ports of its two nodes (overlays/failover/management).

mod answer;
mod credentials;
mod pair;
mod port;
mod trouble;

pub use answer::{Phase, Seen};
pub use credentials::Credentials;
pub use pair::{Node, Pair};
pub use port::Port;
pub use trouble::Trouble;
