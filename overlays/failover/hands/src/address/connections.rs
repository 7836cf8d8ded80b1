//! Ends TCP connections, as `ss -K` does: sock_diag(7), SOCK_DESTROY.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use netlink_packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_DUMP, NetlinkDeserializable, NetlinkHeader, NetlinkPayload,
    NetlinkSerializable,
};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use rustix::io::Errno;

use super::netlink::Netlink;

/// What became of the connections to the addresses that were let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// So many were ended; their clients were told by a reset.
    Ended(usize),
    /// The kernel is built without CONFIG_INET_DIAG_DESTROY: clients notice when they send next, or by their own timeouts.
    NotByThisKernel,
    /// Some may be left.
    Incomplete { ended: usize, error: io::ErrorKind },
}

/// Only those in this network namespace. A pod's connections that were forwarded have the address in the connection tracking
/// only; they go on as long as the other side's packets come here.
pub(super) fn end(addresses: &[IpAddr], time: Duration) -> Connections {
    let until = Instant::now() + time;
    let mut ended = 0;
    for family in [AF_INET, AF_INET6] {
        match end_family(family, addresses, until, &mut ended) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => {
                return Connections::NotByThisKernel;
            }
            Err(error) => return Connections::Incomplete { ended, error: error.kind() },
        }
    }
    Connections::Ended(ended)
}

fn end_family(family: u8, addresses: &[IpAddr], until: Instant, ended: &mut usize) -> io::Result<()> {
    let mut netlink = Netlink::open(NETLINK_SOCK_DIAG)?;
    let mut found = Vec::new();
    let all = Diag { kind: SOCK_DIAG_BY_FAMILY, family, id: [0; ID] };
    netlink.ask(all, NLM_F_DUMP, |socket| {
        if addresses.contains(&socket.local()) {
            found.push(socket);
        }
    })?;
    for socket in found {
        if Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match netlink.ask(Diag { kind: SOCK_DESTROY, ..socket }, NLM_F_ACK, |_| ()) {
            Ok(()) => *ended += 1,
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

// linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h. The crate netlink-packet-sock-diag needs a newer compiler than the device's.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// All but TIME_WAIT (6) and CLOSE (7), which have nobody to tell, and LISTEN (10), which stays.
const STATES: u32 = 0xfff & !(1 << 6 | 1 << 7 | 1 << 10);
/// `struct inet_diag_sockid`: ports, addresses, interface, cookie.
const ID: usize = 48;

/// `struct inet_diag_req_v2`, and of `struct inet_diag_msg` what says which socket it is.
struct Diag {
    kind: u16,
    family: u8,
    id: [u8; ID],
}

impl Diag {
    fn local(&self) -> IpAddr {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.id[4..20]);
        if self.family == AF_INET {
            return Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into();
        }
        // A server that listens on [::] has IPv4 clients too, at mapped addresses.
        IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
    }
}

impl NetlinkSerializable for Diag {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        8 + ID
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..4].copy_from_slice(&[self.family, IPPROTO_TCP, 0, 0]);
        buffer[4..8].copy_from_slice(&STATES.to_ne_bytes());
        buffer[8..8 + ID].copy_from_slice(&self.id);
    }
}

impl NetlinkDeserializable for Diag {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        match (payload, payload.get(4..4 + ID).and_then(|id| id.try_into().ok())) {
            ([family, ..], Some(id)) => Ok(Diag { kind: header.message_type, family: *family, id }),
            _ => Err("a socket's description is cut".into()),
        }
    }
}

impl From<Diag> for NetlinkPayload<Diag> {
    fn from(message: Diag) -> Self {
        NetlinkPayload::InnerMessage(message)
    }
}
