//! Which address the node has for others. Pure, but for what it is given to look and to pause with.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

/// An interface of the image without a way out, for a node that never had a network.
pub const FALLBACK_INTERFACE: &str = "node0";

const POLL: Duration = Duration::from_millis(250);

/// Interfaces of the node itself and of its pods.
const INNER: [&str; 5] = ["lo", "cni0", "dns0", "kube-ipvs0", FALLBACK_INTERFACE];
const INNER_PREFIXES: [&str; 5] = ["cali", "docker", "dummy", "flannel", "veth"];

/// An IPv4 address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub interface: String,
    pub ip: Ipv4Addr,
    /// Whether the other end is there.
    pub carrier: bool,
    /// Whether there is a device behind it, unlike behind a bridge or a tunnel.
    pub physical: bool,
}

/// The address that was chosen, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// An interface to others has it.
    Carried(Ipv4Addr),
    /// No interface has one; this was the node's until now.
    Previous(Ipv4Addr),
    /// No interface has one; this leads nowhere, but the node's own parts reach each other by it.
    Fallback(Ipv4Addr),
}

impl Choice {
    pub fn ip(self) -> Ipv4Addr {
        match self {
            Choice::Carried(ip) | Choice::Previous(ip) | Choice::Fallback(ip) => ip,
        }
    }
}

/// What to do when no interface has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offline {
    /// Nothing has used the previous address since the machine started: one that is there serves its pods better.
    Starting,
    /// A cable that is pulled for an hour is no reason for new certificates and restarts.
    Running,
}

/// Looks until an interface has the previous address or, if there was none, a port has one; after `limit` takes what is there.
pub fn wait(
    previous: Option<Ipv4Addr>,
    offline: Offline,
    limit: Duration,
    mut look: impl FnMut() -> io::Result<Vec<Address>>,
    mut pause: impl FnMut(Duration),
) -> io::Result<Option<Choice>> {
    let mut waited = Duration::ZERO;
    loop {
        let present = look()?;
        if let Some(ip) = settled(&present, previous) {
            return Ok(Some(Choice::Carried(ip)));
        }
        if waited >= limit {
            return Ok(last(&present, previous, offline));
        }
        pause(POLL);
        waited += POLL;
    }
}

/// The address, if looking on cannot find a better one.
fn settled(present: &[Address], previous: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
    let fallback = fallback(present);
    match previous.filter(|ip| Some(*ip) != fallback) {
        // DHCP on one port may be slower than on another; that is no reason for new certificates.
        Some(ip) => candidates(present).any(|address| address.ip == ip).then_some(ip),
        None => best(present).filter(|address| address.physical && address.carrier).map(|address| address.ip),
    }
}

fn last(present: &[Address], previous: Option<Ipv4Addr>, offline: Offline) -> Option<Choice> {
    let carried = best(present).map(|address| Choice::Carried(address.ip));
    let fallback = fallback(present);
    let previous = previous.filter(|ip| Some(*ip) != fallback).map(Choice::Previous);
    let fallback = fallback.map(Choice::Fallback);
    carried.or(match offline {
        Offline::Starting => fallback.or(previous),
        Offline::Running => previous.or(fallback),
    })
}

/// The first port with a carrier, else the first port, else whatever else leads to others.
fn best(present: &[Address]) -> Option<&Address> {
    candidates(present).min_by_key(|address| (!address.physical, !address.carrier))
}

fn candidates(present: &[Address]) -> impl Iterator<Item = &Address> {
    present.iter().filter(|address| is_outer(&address.interface) && is_global(address.ip))
}

fn fallback(present: &[Address]) -> Option<Ipv4Addr> {
    let address = present.iter().find(|address| address.interface == FALLBACK_INTERFACE)?;
    Some(address.ip)
}

fn is_outer(interface: &str) -> bool {
    !INNER.contains(&interface) && !INNER_PREFIXES.iter().any(|prefix| interface.starts_with(prefix))
}

/// Not of pods (10.42/16) or services (10.43/16), and not one that only means something on its link.
fn is_global(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let of_cluster = first == 10 && (second == 42 || second == 43);
    !of_cluster && !ip.is_loopback() && !ip.is_link_local() && (1..224).contains(&first)
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
