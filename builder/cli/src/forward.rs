//! Which ports of the host lead into a machine.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;

use anyhow::{Result, bail};
use geminios_model::{Overlay, Source};

use crate::machine::Forward;

/// The port of the machine's ssh server.
pub const SSH: u16 = 22;

/// A port that may be another on the host if `moves`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    forward: Forward,
    moves: bool,
}

/// What a user writes: `16443:6443`, `8080:10.0.2.200:80`.
pub fn parse(text: &str) -> Result<Forward, String> {
    let parts = || {
        let (host, rest) = text.split_once(':')?;
        let (address, machine) = match rest.split_once(':') {
            Some((address, machine)) => (Some(address.parse().ok()?), machine),
            None => (None, rest),
        };
        Some(Forward { host: host.parse().ok()?, address, machine: machine.parse().ok()? })
    };
    parts().filter(|forward| forward.host != 0 && forward.machine != 0).ok_or_else(|| {
        "two port numbers are wanted, of this host and of the machine, such as 16443:6443 or 8080:10.0.2.200:80"
            .to_owned()
    })
}

/// What to forward: ssh, what overlays name, what the user asks for.
pub fn wishes(overlays: &[(Overlay, Source, PathBuf)], ssh: u16, asked: &[Forward]) -> Vec<Wish> {
    let named = overlays.iter().flat_map(|(overlay, ..)| &overlay.ports).filter(|port| port.forward);
    let named = named.map(|port| *port.number).filter(|&port| port != SSH && to(asked, port).is_none());
    let own = std::iter::once((ssh, SSH)).chain(named.map(|port| (port, port)));
    let moving = own.map(|(host, machine)| (Forward { host, address: None, machine }, true));
    let fixed = asked.iter().map(|&forward| (forward, false));
    moving.chain(fixed).map(|(forward, moves)| Wish { forward, moves }).collect()
}

/// A port of 127.0.0.1 for QEMU to listen on.
pub struct Port {
    pub forward: Forward,
    /// A name that the kernel frees when we end (unix(7), abstract). QEMU listens only after a while, and until
    /// then another `run` would find the port free too.
    _claim: UnixListener,
}

/// Takes each wished port, or the next that is free where it may move.
pub fn claim(wishes: &[Wish]) -> Result<Vec<Port>> {
    let mut ports = Vec::new();
    for &Wish { forward, moves } in wishes {
        let last = if moves { forward.host.saturating_add(100) } else { forward.host };
        let Some(port) = (forward.host..=last).find_map(|host| take(Forward { host, ..forward })) else {
            let what = if moves { "no free port from" } else { "this port is taken:" };
            let option =
                if moves && forward.machine == SSH { "--ssh-port PORT" } else { "--forward HOST:MACHINE" };
            bail!("{what} {}\n  help: give another with {option}", forward.host);
        };
        ports.push(port);
    }
    Ok(ports)
}

fn take(forward: Forward) -> Option<Port> {
    TcpListener::bind(("127.0.0.1", forward.host)).ok()?;
    let name = SocketAddr::from_abstract_name(format!("geminios-port-{}", forward.host)).ok()?;
    Some(Port { forward, _claim: UnixListener::bind_addr(&name).ok()? })
}

/// The port of this host that leads to one of the machine's own address.
pub fn to(forwards: &[Forward], machine: u16) -> Option<u16> {
    let own = |forward: &&Forward| forward.address.is_none() && forward.machine == machine;
    forwards.iter().find(own).map(|forward| forward.host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_writes_is_what_qemu_reads() {
        let cases = [
            ("16443:6443", "tcp:127.0.0.1:16443-:6443"),
            ("8080:10.0.2.200:80", "tcp:127.0.0.1:8080-10.0.2.200:80"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap().option(), format!(",hostfwd={expected}"), "{text}");
        }
        for text in
            ["", "80", "0:80", "80:0", "80:", "a:80", "8080:host:80", "8080:10.0.2.200", "1:2:3:4", "1:70000"]
        {
            assert!(parse(text).is_err_and(|said| said.contains("two port numbers")), "{text}");
        }
    }

    #[test]
    fn a_port_of_another_address_is_not_the_machines_own() {
        let own = parse("16443:6443").unwrap();
        let other = parse("16444:10.0.2.200:6443").unwrap();
        assert_eq!((to(&[other, own], 6443), to(&[other], 6443)), (Some(16443), None));
        let forwards = |asked: &[Forward]| -> Vec<Forward> {
            wishes(&[], 2222, asked).iter().map(|wish| wish.forward).collect()
        };
        let ssh = Forward { host: 2222, address: None, machine: SSH };
        assert_eq!(forwards(&[other, own]), [ssh, other, own]);
    }
}
