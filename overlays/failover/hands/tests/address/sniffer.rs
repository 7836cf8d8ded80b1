//! Sees the announcements on the bridge.

use std::io::Read;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

pub struct Sniffer(std::fs::File);

#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Announcement {
    pub address: IpAddr,
    pub mac: String,
    /// What it is, by the fields that make it so.
    pub form: &'static str,
}

impl Sniffer {
    pub fn new() -> Self {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let file = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
        Sniffer(file.into())
    }

    /// All that were sent until now.
    pub fn drain(&mut self) -> Vec<Announcement> {
        let mut all = Vec::new();
        let mut frame = [0; 2048];
        while let Ok(length) = self.0.read(&mut frame) {
            all.extend(announcement(&frame[..length]));
        }
        all
    }

    pub fn listen(&mut self, time: Duration) -> Vec<Announcement> {
        let until = Instant::now() + time;
        let mut all = Vec::new();
        while Instant::now() < until {
            all.extend(self.drain());
            std::thread::sleep(Duration::from_millis(5));
        }
        all
    }
}

/// Read byte by byte, by RFC 826, 5227, 4861 and 8200, so that this does not share a mistake with the writer.
fn announcement(frame: &[u8]) -> Option<Announcement> {
    let mac = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    let (to, kind, rest) = (frame.get(..6)?, frame.get(12..14)?, frame.get(14..)?);
    if kind == [8, 6] && to == [0xff; 6] {
        assert_eq!(rest[..6], [0, 1, 8, 0, 6, 4]);
        let (sender, from, target, about) = (&rest[8..14], &rest[14..18], &rest[18..24], &rest[24..28]);
        if from != about {
            return None;
        }
        let form = match (rest[7], target) {
            (1, [0, 0, 0, 0, 0, 0]) => "request",
            (2, target) if target == sender => "reply",
            other => panic!("{other:?}"),
        };
        assert_eq!(&frame[6..12], sender);
        let address = <[u8; 4]>::try_from(from).unwrap().into();
        return Some(Announcement { address, mac: mac(sender), form });
    }
    let is_advertisement = kind == [0x86, 0xdd] && rest.get(6) == Some(&58) && rest.get(40) == Some(&136);
    if !is_advertisement || to != [0x33, 0x33, 0, 0, 0, 1] {
        return None;
    }
    let message = &rest[40..72];
    assert_eq!((rest[4], rest[5], rest[7]), (0, 32, 255), "length, hop limit");
    assert_eq!(message[4], 0x20, "override, neither router nor solicited");
    assert_eq!(rest[8..24], message[8..24], "from its own address");
    assert_eq!(message[24..26], [2, 1], "with the target's link-layer address");
    assert_eq!(sum(&rest[8..40], message), 0xffff, "checksum");
    let address = <[u8; 16]>::try_from(&message[8..24]).unwrap().into();
    Some(Announcement { address, mac: mac(&message[26..32]), form: "advertisement" })
}

/// RFC 8200 section 8.1: over the pseudo-header and all of the message, its checksum included.
fn sum(addresses: &[u8], message: &[u8]) -> u32 {
    let words =
        |bytes: &[u8]| bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum::<u32>();
    let mut sum = words(addresses) + words(message) + message.len() as u32 + 58;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}
