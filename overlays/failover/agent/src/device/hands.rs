//! Carries out what the core wants, on this machine.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use geminios_failover::{Hands, Key, Told};
use geminios_failover_core::{By, Goal, Instant, Refusal, Request, Side, Stored};
use geminios_failover_hands::Tell;
use geminios_failover_hands::address::{Address, Uplink};
use geminios_failover_hands::follow::Follow;
use geminios_failover_hands::watchdog::{Fed, Watchdog};
use geminios_failover_postgres::{Direct, Driver, Metrics, Moment, Report, Service, Systemd};

use super::fencing::Fencing;
use super::settings::{self, Settings};
use super::story::Story;
use super::ways::Ways;
use super::witness::Asker;
use super::{Happened, now};

/// Of the program that follows the leader.
const FOLLOW: Duration = Duration::from_secs(60);

pub struct Device {
    me: Side,
    state: PathBuf,
    ways: Ways,
    witness: Option<Asker>,
    fencing: Option<Fencing>,
    driver: Driver,
    aim: u64,
    address: Option<Address>,
    _uplink: Option<Uplink>,
    watchdog: Option<Watchdog>,
    follow: Follow,
    addresses: [IpAddr; 2],
    pub refusal: Option<Refusal>,
    /// The watchdog was fed after this node had stood still: it would fire so many milliseconds after the other one may lead.
    pub late: Option<u64>,
    /// What is wrong with the disk, and whether the role was handed over for it.
    pub disk: Option<String>,
    pub left_disk: bool,
    pub story: Story,
    pub decides: settings::Means,
}

impl Device {
    /// Takes the addresses away first, whatever else cannot be used: an agent that died may have left them here.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn new(
        settings: &Settings,
        stored: Option<&Stored>,
        events: &Sender<Happened>,
    ) -> Result<Self, String> {
        let tell = teller(events);
        let (address, uplink) = match &settings.address {
            None => (None, None),
            Some(wanted) => {
                let address = Address::new(&wanted.interface, wanted.prefixes()?, tell.clone());
                let events = events.clone();
                let watch = move |carrier| drop(events.send(Happened::Uplink(carrier)));
                let uplink = Uplink::watch(&wanted.interface, watch);
                let address = address.map_err(|error| error.to_string())?;
                (
                    Some(address),
                    Some(uplink.map_err(|error| format!("interface {}: {error}", wanted.interface))?),
                )
            }
        };
        let watchdog = match &settings.watchdog {
            None => None,
            Some(wanted) => Some(
                Watchdog::open(&wanted.device, Duration::from_secs(wanted.timeout.into()))
                    .map_err(|error| error.to_string())?,
            ),
        };
        let deadline = Duration::from_millis(settings.times.promise / 2);
        let witness = match &settings.witness {
            None => None,
            Some(witness) => Some(Asker::start(witness.open()?, deadline, events.clone())),
        };
        Ok(Device {
            me: settings.me,
            state: settings.state.clone(),
            ways: Ways::open(&settings.paths, events),
            witness,
            fencing: Fencing::new(settings, events)?,
            driver: driver(settings, events)?,
            aim: 0,
            address,
            _uplink: uplink,
            watchdog,
            follow: Follow::new(&settings.follow, FOLLOW, tell).map_err(|error| error.to_string())?,
            addresses: addresses(settings),
            refusal: None,
            late: None,
            disk: None,
            left_disk: false,
            story: Story::start(settings.me, stored),
            decides: settings.decides,
        })
    }

    pub fn is_of_newest_aim(&self, report: &Report) -> bool {
        report.aim == self.aim
    }

    pub fn metrics(&self) -> Metrics {
        self.driver.metrics()
    }

    pub fn phase(&mut self, moment: &Moment) {
        self.story.add(moment.at, format!("postgresql: {:?}", moment.phase));
        self.line(&format!("postgresql: {:?}", moment.phase));
    }

    /// A line of the log that is worth one of the story.
    pub fn note(&mut self, text: &str) {
        self.story.add(now(), text.to_owned());
        self.line(text);
    }

    /// A line of the log; journald adds the time.
    pub fn line(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// An orderly end: nothing runs any more that the watchdog would have to stop.
    pub fn end(&mut self) {
        if let Some(watchdog) = self.watchdog.take() {
            if let Err(error) = watchdog.disarm() {
                self.line(&format!("the watchdog stays armed: {error}"));
            }
        }
        self.line("ended");
    }
}

impl Hands for Device {
    type Error = io::Error;

    fn persist(&mut self, bytes: &[u8]) -> io::Result<()> {
        write(&self.state, bytes).or_else(|error| {
            let is_full = error.kind() == io::ErrorKind::StorageFull;
            if is_full && super::disk::release(&self.state).is_ok() {
                write(&self.state, bytes)
            } else {
                Err(error)
            }
        })
    }

    fn send(&mut self, datagram: &[u8]) {
        self.ways.send(datagram);
    }

    fn ask(&mut self, request: Request) {
        if let Some(witness) = &self.witness {
            witness.ask(request);
        }
    }

    fn fence(&mut self) {
        if let Some(fencing) = &self.fencing {
            fencing.off();
        }
    }

    fn postgres(&mut self, goal: Goal) {
        self.aim = self.driver.aim(goal);
    }

    fn serve(&mut self, epoch: Option<u64>) {
        let Some(address) = &self.address else { return };
        let done = match epoch {
            Some(epoch) => address.hold(epoch),
            None => address.drop_all().map(drop),
        };
        // The address is tried again by itself.
        if let Err(error) = done {
            self.line(&format!("address: {error}"));
        }
    }

    fn feed(&mut self, until: Option<Instant>) {
        let Some(watchdog) = &mut self.watchdog else { return };
        match watchdog.feed_until(until, now) {
            Ok(Fed::Late { by }) => self.late = Some(by),
            Ok(Fed::Yes | Fed::No) => {}
            Err(error) => self.line(&format!("watchdog: {error}")),
        }
    }

    fn leads(&mut self, epoch: u64, side: Side, by: By) {
        let how = match by {
            By::Witness => "witness",
            By::Proof => "proof",
            By::Person if epoch > 1 => "person",
            // A person made a new site's first leader too, but there was none before.
            By::Both | By::Person => "both",
        };
        self.follow.lead(epoch, self.addresses[usize::from(side != self.me)], side == self.me, how);
    }

    fn tell(&mut self, told: Told) {
        match &told {
            Told::Refused(refusal) => self.refusal = Some(*refusal),
            Told::Decided(Stored { record, decided: true, .. }) => {
                if let Some(witness) = &self.witness {
                    witness.leads(record.leader == self.me);
                }
                if let Some(fencing) =
                    self.fencing.as_ref().filter(|_| record.alone && record.leader == self.me)
                {
                    fencing.release();
                }
            }
            _ => {}
        }
        if self.story.tell(now(), &told) {
            self.line(&super::story::line(&told));
        }
    }
}

/// This node's, then the other's: where PostgreSQL listens.
fn addresses(settings: &Settings) -> [IpAddr; 2] {
    [settings.postgresql.listen, settings.postgresql.peer]
}

fn teller(events: &Sender<Happened>) -> Tell {
    let events = std::sync::Mutex::new(events.clone());
    Arc::new(move |text: &str| {
        if let Ok(events) = events.lock() {
            let _ = events.send(Happened::Told(text.to_owned()));
        }
    })
}

fn driver(settings: &Settings, events: &Sender<Happened>) -> Result<Driver, String> {
    let wanted = &settings.postgresql;
    let name = |side| if side == Side::A { "node_a" } else { "node_b" }.to_owned();
    let tls = wanted.tls.as_ref().map(|tls| {
        let settings::Tls { authority, certificate, key, peer_name } = tls.clone();
        geminios_failover_postgres::Tls { authority, certificate, key, peer_name }
    });
    let postgres = geminios_failover_postgres::Settings {
        data: wanted.data.clone(),
        own: wanted.own.clone(),
        binaries: wanted.binaries.clone(),
        config_file: wanted.config.clone(),
        socket: wanted.socket.clone(),
        port: wanted.port,
        superuser: "postgres".to_owned(),
        run_as: wanted.run_as,
        name: name(settings.me),
        listen: wanted.listen,
        peer: geminios_failover_postgres::Peer {
            name: name(settings.me.other()),
            address: wanted.peer,
            port: wanted.peer_port,
        },
        replication_user: "geminios_replication".to_owned(),
        tls,
        slot_keep: wanted.slot_keep,
        initdb: wanted.initdb.clone(),
        clients: wanted.clients.clone(),
        forks: geminios_failover_postgres::ForkLimits::default(),
        limits: geminios_failover_postgres::Limits::default(),
    };
    let service: Box<dyn Service> = match &wanted.unit {
        Some(unit) => Box::new(Systemd::new(&postgres, unit)),
        None => Box::new(Direct::new(&postgres, settings.state.join("postgresql.log"))),
    };
    let (reports, phases) = (events.clone(), events.clone());
    let report = move |report| drop(reports.send(Happened::Postgres(report)));
    let phase = move |moment| drop(phases.send(Happened::Phase(moment)));
    Driver::start(postgres, service, report, phase).map_err(|error| error.to_string())
}

/// The site's secret.
///
/// # Errors
/// It cannot be read, others can read it, or it is none.
pub fn key(path: &Path) -> Result<Key, String> {
    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mode = path.metadata().map_err(|error| at(&error))?.mode();
    if mode & 0o077 != 0 {
        return Err(at(&format!("others can read it (mode {:o})\n  help: chmod 0600", mode & 0o7777)));
    }
    let text = std::fs::read_to_string(path).map_err(|error| at(&error))?;
    Key::parse(text.trim()).ok_or_else(|| at(&"a key has 64 hexadecimal digits"))
}

/// What is on disk; nothing on a new one.
///
/// # Errors
/// A file that is no record.
pub fn stored(state: &Path) -> Result<Option<Stored>, String> {
    let path = state.join("record");
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| format!("{}: {error}", path.display()))?,
    };
    geminios_failover::read(&bytes).map(Some).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(state: &Path, bytes: &[u8]) -> io::Result<()> {
    let (new, path) = (state.join("record.new"), state.join("record"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    File::open(state)?.sync_all()
}
