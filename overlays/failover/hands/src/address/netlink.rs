//! Links and addresses of the network namespace that this thread is in: rtnetlink(7).

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REPLACE, NLM_F_REQUEST,
    NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use rustix::event::{PollFd, PollFlags};

use super::Prefix;
use crate::cancel::wait;

/// `IFA_PROTO` of the addresses that an agent added, so that the next one knows them; 0 to 3 are the kernel's (if_addr.h).
const OURS: AddressProtocol = AddressProtocol::Other(b'G');

/// The kernel answers from memory; so long it takes only if something is wrong.
const ANSWER: Duration = Duration::from_secs(2);

/// A dump during which something changed is begun anew so often.
const DUMPS: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub index: u32,
    /// Set up, and with carrier.
    pub up: bool,
    pub admin_up: bool,
    pub ethernet: bool,
    pub mac: Option<[u8; 6]>,
}

/// An address that is on some interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Present {
    pub index: u32,
    pub address: IpAddr,
    pub length: u8,
    /// Added by an agent.
    pub ours: bool,
}

pub(super) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    pub fn route() -> io::Result<Self> {
        Netlink::open(NETLINK_ROUTE)
    }

    pub fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// None: no interface has this name.
    pub fn link(&mut self, interface: &str) -> io::Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(interface.to_owned()));
        let mut found = None;
        let asked = self.ask(RouteNetlinkMessage::GetLink(message), NLM_F_ACK, |answer| {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                found = Some(read_link(&link));
            }
        });
        match asked {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(found),
        }
    }

    /// The addresses of all interfaces.
    pub fn addresses(&mut self) -> io::Result<Vec<Present>> {
        let mut last = Ok(());
        for _ in 0..DUMPS {
            let mut found = Vec::new();
            let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
            last = self.ask(message, NLM_F_DUMP, |answer| {
                if let RouteNetlinkMessage::NewAddress(message) = answer {
                    found.extend(read_address(&message));
                }
            });
            match &last {
                Ok(()) => return Ok(found),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        last.map(|()| Vec::new())
    }

    /// Adds it, or marks it as ours if it is there.
    pub fn add(&mut self, index: u32, prefix: Prefix) -> io::Result<()> {
        let mut message = message_of(index, prefix.address, prefix.length);
        message.attributes.push(AddressAttribute::Protocol(OURS));
        // Deprecated: never the source of this node's own connections, which would be cut when the address moves (RFC 6724 rule 3).
        let mut life = CacheInfo::default();
        life.ifa_valid = u32::MAX;
        if prefix.address.is_ipv6() {
            // Usable at once: who held it before is known to have let go, so there is nothing to detect (RFC 4862 5.4).
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
            message.attributes.push(AddressAttribute::CacheInfo(life));
        }
        self.ask(RouteNetlinkMessage::NewAddress(message), NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, |_| ())
    }

    /// Removes it; it may be gone already.
    pub fn remove(&mut self, index: u32, address: IpAddr, length: u8) -> io::Result<()> {
        let message = RouteNetlinkMessage::DelAddress(message_of(index, address, length));
        let gone =
            [rustix::io::Errno::ADDRNOTAVAIL, rustix::io::Errno::NODEV].map(|e| Some(e.raw_os_error()));
        match self.ask(message, NLM_F_ACK, |_| ()) {
            Err(error) if gone.contains(&error.raw_os_error()) => Ok(()),
            other => other,
        }
    }

    /// One request, and each message of its answer.
    pub fn ask<I>(&mut self, message: I, flags: u16, mut each: impl FnMut(I)) -> io::Result<()>
    where
        I: NetlinkSerializable + NetlinkDeserializable,
        NetlinkPayload<I>: From<I>,
    {
        self.sequence += 1;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;

        let until = Instant::now() + ANSWER;
        let mut interrupted = false;
        loop {
            let datagram = self.receive(until)?;
            let mut rest = &datagram[..];
            while !rest.is_empty() {
                let answer = NetlinkMessage::<I>::deserialize(rest).map_err(io::Error::other)?;
                let length = (answer.header.length as usize).next_multiple_of(4).max(16);
                rest = rest.get(length..).unwrap_or_default();
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => each(message),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(()),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::Done(_) if interrupted => return Err(io::ErrorKind::Interrupted.into()),
                    NetlinkPayload::Done(_) => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    fn receive(&self, until: Instant) -> io::Result<Vec<u8>> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let ready = wait(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(left));
            if ready {
                match self.socket.recv_from_full() {
                    Ok((datagram, _)) => return Ok(datagram),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            } else if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the kernel does not answer"));
            }
        }
    }
}

/// Tells that something changed at the links, or at their addresses too; what it was is asked for afterwards.
pub(super) struct Changes(Socket);

impl Changes {
    /// `groups`: RTNLGRP_ numbers of rtnetlink.h.
    pub fn of(groups: &[u32]) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        for group in groups {
            socket.add_membership(*group)?;
        }
        Ok(Changes(socket))
    }

    pub fn poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&self.0, PollFlags::IN)
    }

    /// Whether there were any. Those that were lost, as the buffer was full, count too.
    pub fn take(&self) -> bool {
        let mut any = false;
        // So many at most: others may come as fast as they are read.
        for _ in 0..1000 {
            match self.0.recv_from_full() {
                Ok(_) => any = true,
                Err(error) => return any || error.kind() != io::ErrorKind::WouldBlock,
            }
        }
        any
    }
}

fn message_of(index: u32, address: IpAddr, length: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    message.header.prefix_len = length;
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    message.attributes.push(AddressAttribute::Local(address));
    message.attributes.push(AddressAttribute::Address(address));
    message
}

fn read_address(message: &AddressMessage) -> Option<Present> {
    let (mut local, mut address, mut ours) = (None, None, false);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(at) => local = Some(*at),
            AddressAttribute::Address(at) => address = Some(*at),
            AddressAttribute::Protocol(by) => ours = *by == OURS,
            _ => {}
        }
    }
    let header = &message.header;
    Some(Present { index: header.index, address: local.or(address)?, length: header.prefix_len, ours })
}

fn read_link(message: &LinkMessage) -> Link {
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(bytes) => <[u8; 6]>::try_from(&bytes[..]).ok(),
        _ => None,
    });
    let flags = message.header.flags;
    Link {
        index: message.header.index,
        up: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        admin_up: flags.contains(LinkFlags::Up),
        ethernet: message.header.link_layer_type == LinkLayerType::Ether,
        mac,
    }
}
