use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use super::netlink::{Changes, Netlink};
use crate::Cancel;
use crate::cancel::wait;

const RTNLGRP_LINK: u32 = 1;

/// Looked at so often in any case: a change may be lost when many come at once.
const LOOK: Duration = Duration::from_secs(1);

/// Whether the interface has carrier: the core's veto. It proves nothing about the other node.
#[derive(Debug)]
pub struct Uplink {
    carrier: Arc<AtomicBool>,
    stop: Cancel,
    thread: Option<JoinHandle<()>>,
}

impl Uplink {
    /// `changed` is called with each change, first with what it is now. An interface that is not there has no carrier.
    ///
    /// # Errors
    /// The kernel gives no netlink socket, or no thread.
    pub fn watch(interface: &str, mut changed: impl FnMut(bool) + Send + 'static) -> io::Result<Self> {
        let stop = Cancel::new()?;
        // Before the first look: a change in between is not missed.
        let changes = Changes::of(&[RTNLGRP_LINK])?;
        let interface = interface.to_owned();
        let carrier = Arc::new(AtomicBool::new(look(&interface)));
        let thread = std::thread::Builder::new().name("uplink".to_owned()).spawn({
            let (carrier, stop) = (Arc::clone(&carrier), stop.clone());
            move || {
                changed(carrier.load(Ordering::Relaxed));
                while !stop.is_cancelled() {
                    wait(&mut [PollFd::new(&stop, PollFlags::IN), changes.poll_fd()], Some(LOOK));
                    changes.take();
                    let now = look(&interface);
                    if carrier.swap(now, Ordering::Relaxed) != now {
                        changed(now);
                    }
                }
            }
        })?;
        Ok(Uplink { carrier, stop, thread: Some(thread) })
    }

    #[must_use]
    pub fn carrier(&self) -> bool {
        self.carrier.load(Ordering::Relaxed)
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What cannot be asked for is no carrier: a veto may be wrong, a missing one not.
fn look(interface: &str) -> bool {
    let link = Netlink::route().and_then(|mut netlink| netlink.link(interface));
    matches!(link, Ok(Some(link)) if link.up)
}
