//! Frames that tell a LAN where an address is now.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::icmpv6::NeighborAdvertisementHeader;
use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType, Icmpv6Type, PacketBuilder};

const BROADCAST: [u8; 6] = [0xff; 6];
/// ff02::1, all nodes, and its group address (RFC 2464 section 7).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
/// Receivers drop a Neighbor Advertisement that has another one (RFC 4861 section 7.1.2).
const HOP_LIMIT: u8 = 255;
/// Option "target link-layer address", one unit of eight bytes (RFC 4861 section 4.6.1).
const TARGET_LINK_LAYER: [u8; 2] = [2, 1];

/// All that is to be sent for one address.
pub(super) fn announcements(mac: [u8; 6], address: IpAddr) -> io::Result<Vec<Vec<u8>>> {
    match address {
        IpAddr::V4(address) => Ok(vec![
            // RFC 5227 section 3: an ARP announcement is a request for the sender's own address.
            arp(mac, ArpOperation::REQUEST, [0; 6], address)?,
            // RFC 5944 section 4.6: the reply form; some switches and hosts learn from this one only.
            arp(mac, ArpOperation::REPLY, mac, address)?,
        ]),
        IpAddr::V6(address) => Ok(vec![neighbor_advertisement(mac, address)?]),
    }
}

fn arp(mac: [u8; 6], operation: ArpOperation, target: [u8; 6], address: Ipv4Addr) -> io::Result<Vec<u8>> {
    let ip = address.octets();
    let packet = ArpPacket::new(ArpHardwareId::ETHERNET, EtherType::IPV4, operation, &mac, &ip, &target, &ip)
        .map_err(io::Error::other)?;
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(mac, BROADCAST)
        .arp(packet)
        .write_to_vec(&mut frame)
        .map_err(io::Error::other)?;
    Ok(frame)
}

/// Unsolicited and with the override flag (RFC 4861 section 7.2.6): who has the old place in its cache takes this one.
fn neighbor_advertisement(mac: [u8; 6], address: Ipv6Addr) -> io::Result<Vec<u8>> {
    let header = NeighborAdvertisementHeader { router: false, solicited: false, r#override: true };
    let mut payload = address.octets().to_vec();
    payload.extend(TARGET_LINK_LAYER);
    payload.extend(mac);
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(mac, ALL_NODES_MAC)
        .ipv6(address.octets(), ALL_NODES.octets(), HOP_LIMIT)
        .icmpv6(Icmpv6Type::NeighborAdvertisement(header))
        .write_to_vec(&mut frame, &payload)
        .map_err(io::Error::other)?;
    Ok(frame)
}
