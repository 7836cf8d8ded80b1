//! The site's addresses on a LAN of network namespaces: two nodes and a client.
#![allow(clippy::unwrap_used)]

mod holding;
mod moving;
mod node;
mod sandbox;
mod sniffer;
mod trouble;

use std::time::{Duration, Instant};

const BOTH: &str = "10.9.0.100/32 fd09::100/128";

/// Waits for what is to come; only one that never comes fails.
fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begin.elapsed()
}
