use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Sites;
use super::connection::{Connection, Request};

/// What one client may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open at once; a node has one.
    pub connections: usize,
    /// Of those from one address: many sites may be behind one, but one must not take all.
    pub from_one_address: usize,
    /// From the first byte of a request to its last; also for the first request to begin, and for an answer to be taken.
    pub request: Duration,
    /// Between two requests of a client that has shown its key.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1024,
            from_one_address: 128,
            request: Duration::from_secs(5),
            idle: Duration::from_secs(60),
        }
    }
}

/// Stack of a connection's thread, in bytes: what it does is shallow.
const STACK: usize = 256 << 10;

/// Answers for ever.
pub fn serve(listener: &TcpListener, sites: Sites, limits: Limits) -> ! {
    let sites = Arc::new(sites);
    let open = Arc::new(Open::default());
    loop {
        match listener.accept() {
            Ok((stream, address)) => {
                // Beyond the limit it is closed without a word, which costs least.
                if let Some(place) = Open::enter(&open, address.ip(), &limits) {
                    let sites = Arc::clone(&sites);
                    let talk = move || {
                        let _place = place;
                        // An error here is a client that went away or was too slow; there is nobody to tell.
                        let _ = talk(stream, &sites, &limits);
                    };
                    // Without a thread the connection is dropped, and the client comes again.
                    let _ = std::thread::Builder::new().stack_size(STACK).spawn(talk);
                }
            }
            // No more file descriptors, or the like: it passes.
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn talk(stream: TcpStream, sites: &Sites, limits: &Limits) -> io::Result<()> {
    let mut connection = Connection::new(stream);
    let mut idle = limits.request;
    loop {
        match connection.request(idle, limits)? {
            None => return Ok(()),
            Some(Request::Wrong(status)) => return connection.refuse(status, limits),
            Some(Request::Question { question, goes_on }) => {
                let Some(reply) = sites.answer(&question) else { return connection.refuse(403, limits) };
                connection.reply(&reply, goes_on, limits)?;
                if !goes_on {
                    return Ok(());
                }
                idle = limits.idle;
            }
        }
    }
}

/// Connections that are open, by address.
#[derive(Default)]
struct Open(Mutex<HashMap<IpAddr, usize>>);

struct Place {
    open: Arc<Open>,
    address: IpAddr,
}

impl Open {
    fn enter(open: &Arc<Self>, address: IpAddr, limits: &Limits) -> Option<Place> {
        let mut by_address = open.lock();
        let all: usize = by_address.values().sum();
        let here = by_address.entry(address).or_default();
        if all < limits.connections && *here < limits.from_one_address {
            *here += 1;
            Some(Place { open: Arc::clone(open), address })
        } else {
            by_address.retain(|_, count| *count > 0);
            None
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = self.open.lock();
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
        }
        by_address.retain(|_, count| *count > 0);
    }
}
