//! What the addresses shall be, and the thread that keeps them so.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::connections::{self, Connections};
use super::frame::announcements;
use super::netlink::{Changes, Link, Netlink};
use super::send::Wire;
use super::{AddressError, Prefix};
use crate::cancel::wait;
use crate::{Cancel, Tell};

/// When to announce, in milliseconds after the address was taken: a frame may be lost, a switch may need a second to forward at a
/// port that came up.
const ANNOUNCE: [u64; 6] = [0, 100, 300, 1000, 2000, 5000];
/// From then on, for caches that were filled wrongly since: a node that stood still answers for the address before its agent runs.
const AGAIN: Duration = Duration::from_secs(2);
/// What failed is tried again after this.
const RETRY: Duration = Duration::from_millis(500);
/// Links of pods come and go often: looked at no more often than this.
const LOOK: Duration = Duration::from_millis(50);
/// Ending connections must not keep an address for longer than this.
const ENDING: Duration = Duration::from_millis(200);

/// Groups of rtnetlink.h: links, IPv4 and IPv6 addresses.
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV4_IFADDR: u32 = 5;
const RTNLGRP_IPV6_IFADDR: u32 = 9;

pub(super) struct Shared {
    interface: String,
    addresses: Vec<Prefix>,
    tell: Tell,
    wake: Cancel,
    /// Whoever changes addresses or sends has this lock: after a release nothing of before is under way.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stop: bool,
    newest: u64,
    /// Announce next then, the how manieth time, from this hardware address.
    held: Option<Held>,
    /// Dropped, but not seen to be gone.
    left: bool,
    trouble: Option<String>,
}

struct Held {
    epoch: u64,
    since: Instant,
    sent: usize,
    next: Instant,
    link: Option<Link>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {}", self.addresses, self.interface)
    }
}

impl Shared {
    pub fn new(interface: &str, addresses: Vec<Prefix>, tell: Tell, wake: Cancel) -> Self {
        Shared { interface: interface.to_owned(), addresses, tell, wake, state: Mutex::default() }
    }

    pub fn hold(&self, epoch: u64) -> Result<(), AddressError> {
        let mut state = self.lock();
        if epoch < state.newest {
            return Err(AddressError::OldEpoch { asked: epoch, newest: state.newest });
        }
        state.newest = epoch;
        state.left = false;
        if state.held.as_ref().is_none_or(|held| held.epoch != epoch) {
            state.held = Some(Held::since(epoch, Instant::now()));
        }
        let result = self.keep(&mut state);
        self.wake.cancel();
        result
    }

    pub fn release(&self) -> Result<Connections, AddressError> {
        let mut state = self.lock();
        state.held = None;
        let ips: Vec<IpAddr> = self.addresses.iter().map(|prefix| prefix.address).collect();
        // First, while a reset can still leave from the address; again afterwards, for what came in between.
        let first = connections::end(&ips, ENDING);
        let removed = self.remove();
        let second = connections::end(&ips, ENDING);
        state.left = removed.is_err();
        self.note(&mut state, removed.as_ref().err());
        self.wake.cancel();
        removed.map(|()| match (first, second) {
            (Connections::Ended(before), Connections::Ended(after)) => Connections::Ended(before + after),
            (Connections::Ended(_), other) | (other, _) => other,
        })
    }

    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    pub fn stop(&self) {
        self.lock().stop = true;
        self.wake.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever an agent added, and each of the site's addresses, on all interfaces.
    fn remove(&self) -> Result<(), AddressError> {
        let failed = |source| self.kernel("removing addresses", source);
        let mut netlink = Netlink::route().map_err(failed)?;
        for present in netlink.addresses().map_err(failed)? {
            if present.ours || self.addresses.iter().any(|prefix| prefix.address == present.address) {
                netlink.remove(present.index, present.address, present.length).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Adds what is missing and announces if it is time to, or if there is reason to begin anew.
    fn keep(&self, state: &mut State) -> Result<(), AddressError> {
        let Some(held) = &mut state.held else { return Ok(()) };
        let result = self.keep_held(held);
        if result.is_err() {
            held.next = Instant::now() + RETRY;
        }
        self.note(state, result.as_ref().err());
        result
    }

    fn keep_held(&self, held: &mut Held) -> Result<(), AddressError> {
        let failed = |source| self.kernel("adding addresses", source);
        let mut netlink = Netlink::route().map_err(failed)?;
        let Some(link) = netlink.link(&self.interface).map_err(failed)? else {
            held.link = None;
            return Err(self.no_interface());
        };
        let mut added = false;
        let present = netlink.addresses().map_err(failed)?;
        for prefix in &self.addresses {
            let (mut there, same) = (false, present.iter().filter(|one| one.address == prefix.address));
            for one in same {
                if (one.index, one.length) == (link.index, prefix.length) {
                    there = true;
                } else {
                    netlink.remove(one.index, one.address, one.length).map_err(failed)?;
                }
            }
            if !there {
                netlink.add(link.index, *prefix).map_err(failed)?;
                added = true;
            }
        }
        if !link.up {
            held.link = None;
            let interface = self.interface.clone();
            let no_carrier = AddressError::NoCarrier { interface: interface.clone() };
            return Err(if link.admin_up { no_carrier } else { AddressError::Down { interface } });
        }
        let (true, Some(mac)) = (link.ethernet, link.mac) else {
            return Err(AddressError::NotEthernet { interface: self.interface.clone() });
        };
        if added || held.link.as_ref() != Some(&link) {
            *held = Held { link: Some(link), ..Held::since(held.epoch, Instant::now()) };
        }
        if Instant::now() >= held.next {
            self.announce(mac).map_err(|source| self.kernel("announcing addresses", source))?;
            held.sent += 1;
            held.next = match ANNOUNCE.get(held.sent) {
                Some(after) => held.since + Duration::from_millis(*after),
                None => Instant::now() + AGAIN,
            };
        }
        Ok(())
    }

    fn announce(&self, mac: [u8; 6]) -> std::io::Result<()> {
        let wire = Wire::of(&self.interface)?;
        for prefix in &self.addresses {
            for frame in announcements(mac, prefix.address)? {
                wire.send(&frame)?;
            }
        }
        Ok(())
    }

    /// Says what is wrong, once, and once that it is over.
    fn note(&self, state: &mut State, error: Option<&AddressError>) {
        let now = error.map(ToString::to_string);
        if state.trouble != now {
            match &now {
                Some(error) => (self.tell)(&format!("{error}; trying again")),
                None => (self.tell)(&format!("interface {}: works again", self.interface)),
            }
            state.trouble = now;
        }
    }

    fn kernel(&self, doing: &'static str, source: std::io::Error) -> AddressError {
        AddressError::Kernel { doing, interface: self.interface.clone(), source }
    }

    fn no_interface(&self) -> AddressError {
        let names = nix::net::if_::if_nameindex();
        let names = names.iter().flat_map(|names| names.iter()).filter_map(|one| one.name().to_str().ok());
        let present = names.filter(|name| *name != "lo").collect::<Vec<_>>().join(", ");
        let present = if present.is_empty() { "none but lo".to_owned() } else { present };
        AddressError::NoInterface { interface: self.interface.clone(), present }
    }
}

impl Held {
    fn since(epoch: u64, now: Instant) -> Self {
        Held { epoch, since: now, sent: 0, next: now, link: None }
    }
}

pub(super) fn changes() -> std::io::Result<Changes> {
    Changes::of(&[RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR])
}

/// The thread. It has no state of its own: what it does is read under the lock each time.
pub(super) fn run(shared: &Shared, changes: &Changes) {
    loop {
        let next = {
            let mut state = shared.lock();
            if state.stop {
                return;
            }
            if state.left {
                let removed = shared.remove();
                state.left = removed.is_err();
                shared.note(&mut state, removed.as_ref().err());
            }
            // What is wrong was noted.
            let _ = shared.keep(&mut state);
            match &state.held {
                Some(held) => Some(held.next.saturating_duration_since(Instant::now())),
                None => state.left.then_some(RETRY),
            }
        };
        wait(&mut [PollFd::new(&shared.wake, PollFlags::IN), changes.poll_fd()], next);
        shared.wake.clear();
        if changes.take() {
            std::thread::sleep(LOOK);
            changes.take();
        }
    }
}
