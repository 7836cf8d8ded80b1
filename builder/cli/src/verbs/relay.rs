use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use anyhow::{Context, Result};

use crate::args::Relay;

/// Standard input to a port of this host's loopback, and its answer to standard output: what QEMU starts for each
/// connection of a machine that may reach that port and nothing else (`run --reach`).
pub fn run(args: &Relay) -> Result<()> {
    let port = args.port;
    let to =
        TcpStream::connect(("127.0.0.1", port)).with_context(|| format!("nobody listens on port {port}"))?;
    let from = to.try_clone()?;
    thread::spawn(move || {
        drop(pass(io::stdin(), &to));
        drop(to.shutdown(Shutdown::Write));
    });
    Ok(pass(from, io::stdout())?)
}

/// Passes on what comes as soon as it comes.
fn pass(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length])?;
        to.flush()?;
    }
}
