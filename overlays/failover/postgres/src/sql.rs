//! Questions to the own server, each with a limit: a server that hangs takes connections and says nothing.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Runtime, sync::Notify, task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, NoTls, Row, Statement, error::SqlState};

use crate::{Error, Lsn, Settings};

/// What the server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Tells one run of the postmaster from another.
    pub started: String,
    pub recovery: bool,
    pub epoch: Option<u64>,
    pub names: String,
    /// New sessions wait as synchronous_standby_names says, and what is flushed is on disk.
    pub durable: bool,
    /// Of a primary, or of what is received.
    pub timeline: Option<u32>,
    /// All that was written is before it.
    pub end: Lsn,
    pub replayed: Lsn,
    /// Process of a WAL receiver that streams.
    pub receiver: Option<i32>,
    pub standby: Option<Standby>,
    pub slot: Option<Slot>,
}

/// The peer, as this server's WAL sender sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standby {
    pub streams: bool,
    pub sync: bool,
    pub flushed: Lsn,
    pub replayed: Lsn,
}

/// The peer's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub lost: bool,
    pub active: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Look {
    Answer(Box<Answer>),
    /// It is there and takes no questions yet, or no more; or its socket is not there.
    Unready,
    /// It is there, but refuses for a reason that somebody has to mend.
    Refused(String),
    /// Nothing came within the limit.
    Silent,
    /// Somebody wants something else; nothing is known.
    Interrupted,
}

const LOOK: &str = "
select pg_postmaster_start_time()::text, r,
  current_setting('geminios.epoch', true), current_setting('synchronous_standby_names'),
  current_setting('synchronous_commit') in ('on', 'remote_apply') and current_setting('fsync') = 'on'
    and not exists (select from pg_db_role_setting, unnest(setconfig) as line where line ilike 'synchronous_commit=%'),
  case when r then w.received_tli::text else left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) end,
  case when r then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) else pg_current_wal_insert_lsn() end::text,
  pg_last_wal_replay_lsn()::text,
  w.pid,
  s.state = 'streaming', s.sync_state = 'sync', s.flush_lsn::text, s.replay_lsn::text,
  p.wal_status = 'lost', p.active
from pg_is_in_recovery() as r
left join lateral (select * from pg_stat_wal_receiver where status = 'streaming' limit 1) as w on true
left join lateral (select * from pg_stat_replication where application_name = $1
  order by sync_state = 'sync' desc, pid desc limit 1) as s on true
left join lateral (select * from pg_replication_slots where slot_name = $1) as p on true";

fn answer(row: &Row) -> Option<Answer> {
    let text = |column| row.get::<_, Option<String>>(column);
    let lsn = |column| text(column).and_then(|text| Lsn::parse(&text));
    let recovery = row.get(1);
    let standby = row.get::<_, Option<bool>>(9).map(|streams| Standby {
        streams,
        sync: row.get::<_, Option<bool>>(10) == Some(true),
        flushed: lsn(11).unwrap_or_default(),
        replayed: lsn(12).unwrap_or_default(),
    });
    let slot = row.get::<_, Option<bool>>(14).map(|active| Slot {
        // Without a status it reserves nothing: it was made and never used, or its WAL is gone.
        lost: row.get::<_, Option<bool>>(13) != Some(false),
        active,
    });
    Some(Answer {
        started: text(0)?,
        recovery,
        epoch: text(2).and_then(|text| text.parse().ok()),
        names: text(3)?,
        durable: row.get(4),
        timeline: text(5).and_then(|text| u32::from_str_radix(&text, if recovery { 10 } else { 16 }).ok()),
        end: lsn(6).unwrap_or_default(),
        replayed: lsn(7).unwrap_or_default(),
        receiver: row.get(8),
        standby,
        slot,
    })
}

struct Session {
    client: Client,
    look: Statement,
}

/// A commit that is watched, to see whether commits wait.
pub(crate) struct Probe {
    pid: i32,
    commit: JoinHandle<()>,
}

pub(crate) struct Sql {
    runtime: Runtime,
    config: Config,
    peer: String,
    limit: Duration,
    session: Option<Session>,
    wake: Arc<Notify>,
    place: std::path::PathBuf,
}

impl Sql {
    pub fn new(settings: &Settings, wake: Arc<Notify>) -> std::io::Result<Self> {
        let mut config = Config::new();
        config.host_path(&settings.socket).port(settings.port).user(&settings.superuser).dbname("postgres");
        config.application_name("geminios_failover");
        Ok(Sql {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            config,
            peer: settings.peer.name.clone(),
            limit: settings.limits.answer,
            session: None,
            wake,
            place: settings.socket.clone(),
        })
    }

    /// The session of a server that has stopped is worth nothing.
    pub fn forget(&mut self) {
        self.session = None;
    }

    fn within<F: Future>(&self, time: Duration, asked: F) -> Result<F::Output, tokio::time::error::Elapsed> {
        self.runtime.block_on(async { timeout(time, asked).await })
    }

    /// Sleeps, but not when something else is wanted.
    pub fn pause(&self, time: Duration) {
        let _ = self.within(time, self.wake.notified());
    }

    pub fn look(&mut self) -> Look {
        let old = self.session.take();
        let (config, peer) = (self.config.clone(), self.peer.clone());
        let looked = self.runtime.block_on(async {
            let ask = async move {
                let session = match old {
                    Some(session) if !session.client.is_closed() => session,
                    _ => connect(&config).await?,
                };
                let row = session.client.query_one(&session.look, &[&peer]).await?;
                Ok::<_, tokio_postgres::Error>((session, answer(&row)))
            };
            tokio::select! {
                asked = timeout(self.limit, ask) => Some(asked),
                () = self.wake.notified() => None,
            }
        });
        match looked {
            None => Look::Interrupted,
            Some(Err(_)) => Look::Silent,
            Some(Ok(Err(error))) => why(&error),
            Some(Ok(Ok((session, answer)))) => {
                self.session = Some(session);
                answer.map_or(Look::Silent, |answer| Look::Answer(Box::new(answer)))
            }
        }
    }

    /// Carries statements out, in one transaction that waits for nobody.
    pub fn run(&mut self, statements: &str) -> Result<(), Error> {
        let failed = |why: String| Error::Sql(self.place.clone(), why);
        let Some(session) = &self.session else { return Err(failed("no session".into())) };
        let text = format!("begin; set local synchronous_commit = local; {statements}; commit");
        let done = self.within(self.limit, session.client.batch_execute(&text));
        if !matches!(done, Ok(Ok(()))) {
            self.session = None;
        }
        match done {
            Ok(done) => done.map_err(|error| failed(full(&error))),
            Err(_) => Err(failed(format!("no answer within {:?} to: {statements}", self.limit))),
        }
    }

    /// Asks for one statement outside of a transaction.
    pub fn call(&mut self, statement: &str) -> Result<(), Error> {
        let failed = |why: String| Error::Sql(self.place.clone(), why);
        let Some(session) = &self.session else { return Err(failed("no session".into())) };
        match self.within(self.limit, session.client.batch_execute(statement)) {
            Ok(done) => done.map_err(|error| failed(full(&error))),
            Err(_) => {
                self.session = None;
                Err(failed(format!("no answer within {:?} to: {statement}", self.limit)))
            }
        }
    }

    /// Begins a commit of a session of its own.
    pub fn probe(&mut self) -> Result<Probe, Error> {
        let config = self.config.clone();
        let begun = self.within(self.limit, async {
            let session = connect(&config).await?;
            let pid: i32 = session.client.query_one("select pg_backend_pid()", &[]).await?.get(0);
            Ok::<_, tokio_postgres::Error>((session, pid))
        });
        let failed = |why: String| Error::Sql(self.place.clone(), why);
        let (session, pid) = match begun {
            Ok(begun) => begun.map_err(|error| failed(full(&error)))?,
            Err(_) => return Err(failed(format!("no new session within {:?}", self.limit))),
        };
        let commit = self.runtime.spawn(async move {
            let _ =
                session.client.batch_execute("select pg_logical_emit_message(true, 'geminios', '')").await;
        });
        Ok(Probe { pid, commit })
    }

    /// Whether the probe's commit is seen to wait for a standby; nothing if it returned.
    pub fn waits(&mut self, probe: &Probe) -> Option<bool> {
        if probe.commit.is_finished() {
            return None;
        }
        let session = self.session.as_ref()?;
        let sql = "select wait_event is not distinct from 'SyncRep' from pg_stat_activity where pid = $1";
        match self.within(self.limit, session.client.query_opt(sql, &[&probe.pid])) {
            Ok(Ok(row)) => row.map(|row| row.get(0)),
            _ => None,
        }
    }
}

async fn connect(config: &Config) -> Result<Session, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    let look = client.prepare(LOOK).await?;
    Ok(Session { client, look })
}

fn why(error: &tokio_postgres::Error) -> Look {
    let known = [SqlState::CANNOT_CONNECT_NOW, SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN];
    match error.code() {
        Some(code) if !known.contains(code) => Look::Refused(full(error)),
        _ => Look::Unready,
    }
}

fn full(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}
