//! The site's addresses: on this node's interface while it leads, and on no other node's.

mod connections;
mod frame;
mod keep;
mod netlink;
mod send;
mod uplink;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

pub use connections::Connections;
pub use uplink::Uplink;

use crate::{Cancel, Tell};
use keep::Shared;

/// An address with its prefix length. A length of 32 or 128 keeps it out of the routes and of the choice of source addresses;
/// a shorter one that no other address of the interface has makes it the first of its subnet, and whatever the node has
/// there goes with it when it is removed (unless `promote_secondaries` is set, ip-sysctl.rst).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    pub address: IpAddr,
    pub length: u8,
}

#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("{address}/{length} cannot be a site's address: {why}")]
    Invalid { address: IpAddr, length: u8, why: &'static str },
    #[error(
        "there is no interface {interface}; there are {present}: name the right one in the site file, or plug it in"
    )]
    NoInterface { interface: String, present: String },
    #[error("interface {interface} is down: ip link set {interface} up")]
    Down { interface: String },
    #[error("interface {interface} has no carrier: is its cable in, and the switch on?")]
    NoCarrier { interface: String },
    #[error("interface {interface} is no Ethernet: addresses cannot be announced there")]
    NotEthernet { interface: String },
    #[error("epoch {asked} is over: epoch {newest} had the addresses since")]
    OldEpoch { asked: u64, newest: u64 },
    #[error("{doing} at interface {interface}: {source} (CAP_NET_ADMIN and CAP_NET_RAW are needed)")]
    Kernel { doing: &'static str, interface: String, source: io::Error },
}

/// The addresses, and the thread that announces them, puts back what is taken off, and goes on when the interface comes back.
///
/// When it is dropped they stay, as when the agent is killed; only [`Address::drop_all`] takes them away, and the next
/// [`Address::new`].
#[derive(Debug)]
pub struct Address {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Address {
    /// Removes first what an earlier agent left: each address of the site, and each one that has an agent's mark, on any interface.
    ///
    /// # Errors
    /// An address that cannot be one of a site; or the kernel does not remove what is left. An interface that is not there is
    /// no error yet: it may come.
    pub fn new(interface: &str, addresses: Vec<Prefix>, tell: Tell) -> Result<Self, AddressError> {
        addresses.iter().try_for_each(check)?;
        let kernel =
            |source| AddressError::Kernel { doing: "watching", interface: interface.to_owned(), source };
        let shared = Arc::new(Shared::new(interface, addresses, tell, Cancel::new().map_err(kernel)?));
        let _ = shared.release()?;
        let changes = keep::changes().map_err(kernel)?;
        let thread = std::thread::Builder::new().name("address".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || keep::run(&shared, &changes)
        });
        Ok(Address { shared, thread: Some(thread.map_err(kernel)?) })
    }

    /// Takes the addresses for this epoch and announces them. When it fails it is tried again until it succeeds, or until
    /// [`Address::drop_all`]. Again for the same epoch: nothing is done but what is missing.
    ///
    /// # Errors
    /// What keeps the addresses from being reached now; or a newer epoch had them: nothing is done then.
    pub fn hold(&self, epoch: u64) -> Result<(), AddressError> {
        self.shared.hold(epoch)
    }

    /// Removes the addresses, and ends the connections to them. When it returns, nothing is announced any more.
    ///
    /// # Errors
    /// They may still be there; it is tried again until they are gone.
    pub fn drop_all(&self) -> Result<Connections, AddressError> {
        self.shared.release()
    }

    /// Why they are not reached although they are held, or not gone although they were dropped.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble()
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn check(prefix: &Prefix) -> Result<(), AddressError> {
    let Prefix { address, length } = *prefix;
    let longest = if address.is_ipv6() { 128 } else { 32 };
    let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    let why = if length == 0 || length > longest {
        "its prefix length is not between 1 and 32, or 128 for IPv6"
    } else if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        "it is not one machine's on a network"
    } else if address.to_canonical() != address {
        "write it as IPv4"
    } else if link_local {
        "a link-local address is the interface's own"
    } else {
        return Ok(());
    };
    Err(AddressError::Invalid { address, length, why })
}
