//! Sends whole Ethernet frames: packet(7).

use std::io;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, bind, send, socket};
use std::os::fd::{AsRawFd, OwnedFd};

/// Sends only: bound to protocol 0 it receives nothing.
pub(super) struct Wire(OwnedFd);

impl Wire {
    /// # Errors
    /// No such interface, or no CAP_NET_RAW.
    pub fn of(interface: &str) -> io::Result<Self> {
        // The kernel's own list is where a link's address for bind(2) can be had without making one up from raw memory.
        let find = |entry: nix::ifaddrs::InterfaceAddress| -> Option<LinkAddr> {
            if entry.interface_name == interface { entry.address?.as_link_addr().copied() } else { None }
        };
        let link = getifaddrs()?.find_map(find).ok_or(io::ErrorKind::NotFound)?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let file = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        bind(file.as_raw_fd(), &link)?;
        Ok(Wire(file))
    }

    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        send(self.0.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }
}
