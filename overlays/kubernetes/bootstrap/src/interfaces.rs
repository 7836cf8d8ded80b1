//! The machine's interfaces and their IPv4 addresses, as the kernel has them now.

use std::io;
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

use crate::address::Address;

/// Every IPv4 address of an interface that is up, in the kernel's order.
pub fn addresses() -> io::Result<Vec<Address>> {
    let up = getifaddrs()?.filter(|found| found.flags.contains(InterfaceFlags::IFF_UP));
    let addresses = up.filter_map(|found| {
        let ip = found.address?.as_sockaddr_in()?.ip();
        // A label such as eth0:1 stands for its interface.
        let interface = found.interface_name.split(':').next().unwrap_or_default().to_owned();
        let physical = Path::new("/sys/class/net").join(&interface).join("device").exists();
        let carrier = found.flags.contains(InterfaceFlags::IFF_RUNNING);
        Some(Address { interface, ip, carrier, physical })
    });
    Ok(addresses.collect())
}

/// What the kernel calls the machine.
pub fn host_name() -> io::Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}
