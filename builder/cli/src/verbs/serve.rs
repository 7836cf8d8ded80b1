use std::net::TcpListener;

use anyhow::{Context, Result, bail};

use crate::args::release::Serve as Args;
use crate::http;
use crate::session::Session;

/// Serves a folder for tries. Any web server does it for real.
pub fn run(session: &Session, args: &Args) -> Result<()> {
    if !args.dir.is_dir() {
        bail!("{} is no folder", args.dir.display());
    }
    let place = (args.address, args.port);
    let listener = TcpListener::bind(place).with_context(|| {
        format!("port {} of {} cannot be listened on\n  help: give another --port", args.port, args.address)
    })?;
    session.terminal.say(&format!(
        "{} is at http://{}/, until Ctrl-C",
        args.dir.display(),
        listener.local_addr()?
    ));
    for connection in listener.incoming() {
        let dir = args.dir.clone();
        std::thread::spawn(move || connection.map(|connection| drop(http::attend(&connection, &dir))));
    }
    Ok(())
}
