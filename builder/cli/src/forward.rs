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

/// What to forward: ssh, what overlays name, what the user asks for.
pub fn wishes(overlays: &[(Overlay, Source, PathBuf)], ssh: u16, asked: &[(u16, u16)]) -> Vec<Wish> {
    let named = overlays.iter().flat_map(|(overlay, ..)| &overlay.ports).filter(|port| port.forward);
    let named = named.map(|port| *port.number).filter(|&port| port != SSH).map(|port| (port, port));
    let named = named.filter(|(_, machine)| asked.iter().all(|(_, other)| other != machine));
    let moving = std::iter::once((ssh, SSH)).chain(named).map(|ports| (ports, true));
    let fixed = asked.iter().map(|&ports| (ports, false));
    let wish = |((host, machine), moves)| Wish { forward: Forward { host, machine }, moves };
    moving.chain(fixed).map(wish).collect()
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
            let option = if forward.machine == SSH { "--ssh-port PORT" } else { "--forward HOST:MACHINE" };
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

/// The port of this host that leads to one of the machine.
pub fn to(forwards: &[Forward], machine: u16) -> Option<u16> {
    forwards.iter().find(|forward| forward.machine == machine).map(|forward| forward.host)
}
