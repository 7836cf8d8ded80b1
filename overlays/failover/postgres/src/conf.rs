//! What the driver tells PostgreSQL by files of its own.

use std::fmt::Write;

use crate::{Error, Settings, files};

/// A standby that never comes.
pub(crate) const NOBODY: &str = "geminios_nobody";

/// What a commit waits for. Strict is the rule: only a leader that may go on alone has anything else, and one whose commits were
/// seen to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// For the peer and one that never comes: no commit returns.
    Strict,
    Peer,
    Nothing,
}

impl Wait {
    /// As synchronous_standby_names. Quoted: a name may be a word of its language.
    pub fn names(self, peer: &str) -> String {
        match self {
            Wait::Strict => format!("FIRST 2 (\"{peer}\", {NOBODY})"),
            Wait::Peer => format!("FIRST 1 (\"{peer}\")"),
            Wait::Nothing => String::new(),
        }
    }

    pub fn of(names: &str, peer: &str) -> Option<Self> {
        [Wait::Strict, Wait::Peer, Wait::Nothing].into_iter().find(|wait| wait.names(peer) == names)
    }
}

/// For libpq: the peer as a leader, never as a standby.
pub(crate) fn conninfo(settings: &Settings, application: &str) -> String {
    let peer = &settings.peer;
    // Two seconds are libpq's least; keepalives and tcp_user_timeout notice a cut cable.
    let mut text = format!(
        "host={} port={} user={} dbname=postgres application_name={application} target_session_attrs=primary connect_timeout=2 \
         keepalives_idle=1 keepalives_interval=1 keepalives_count=3 tcp_user_timeout=4000 gssencmode=disable",
        peer.address, peer.port, settings.replication_user
    );
    let _ = match &settings.tls {
        Some(tls) => write!(
            text,
            " sslmode=verify-ca sslrootcert={} sslcert={} sslkey={}",
            tls.authority.display(),
            tls.certificate.display(),
            tls.key.display()
        ),
        None => write!(text, " sslmode=disable"),
    };
    text
}

fn postgresql_conf(settings: &Settings, wait: Wait, epoch: u64) -> String {
    let Settings { listen, name, slot_keep, .. } = settings;
    let names = wait.names(&settings.peer.name);
    let conninfo = conninfo(settings, name);
    let ssl = match &settings.tls {
        Some(tls) => format!(
            "ssl = on\nssl_ca_file = '{}'\nssl_cert_file = '{}'\nssl_key_file = '{}'\n",
            tls.authority.display(),
            tls.certificate.display(),
            tls.key.display()
        ),
        None => String::new(),
    };
    // A cut cable is the kernel's to notice; PostgreSQL's own limits would also hit who is only slow.
    format!(
        "# Written by the failover agent; what is changed here is lost.\n\
         listen_addresses = '{listen}'\n\
         {ssl}\
         synchronous_standby_names = '{names}'\n\
         synchronous_commit = on\n\
         wal_level = replica\n\
         hot_standby = on\n\
         primary_conninfo = '{conninfo}'\n\
         primary_slot_name = '{name}'\n\
         recovery_target_timeline = 'latest'\n\
         max_slot_wal_keep_size = '{slot_keep}MB'\n\
         wal_retrieve_retry_interval = '500ms'\n\
         wal_receiver_status_interval = '1s'\n\
         wal_receiver_timeout = '30s'\n\
         wal_sender_timeout = '30s'\n\
         tcp_keepalives_idle = 5\n\
         tcp_keepalives_interval = 2\n\
         tcp_keepalives_count = 3\n\
         tcp_user_timeout = '10s'\n\
         geminios.epoch = '{epoch}'\n"
    )
}

/// Replication, and what pg_rewind and the questions of a standby need.
fn pg_hba_conf(settings: &Settings) -> String {
    let (kind, method) = match settings.tls {
        Some(_) => ("hostssl", "cert map=geminios"),
        None => ("host", "trust"),
    };
    let bits = if settings.peer.address.is_ipv4() { 32 } else { 128 };
    let address = settings.peer.address;
    let line =
        |database: &str, user: &str| format!("{kind} {database} \"{user}\" {address}/{bits} {method}\n");
    let own = ["replication", "postgres"].map(|database| line(database, &settings.replication_user));
    let clients = settings.clients.iter().map(|client| line(&format!("\"{client}\""), client));
    format!("# Written by the failover agent.\n{}", own.into_iter().chain(clients).collect::<String>())
}

fn pg_ident_conf(settings: &Settings) -> String {
    let users = std::iter::once(&settings.replication_user).chain(&settings.clients);
    let peer = |tls: &crate::Tls| {
        users.map(|user| format!("geminios \"{}\" {user}\n", tls.peer_name)).collect::<String>()
    };
    format!("# Written by the failover agent.\n{}", settings.tls.as_ref().map(peer).unwrap_or_default())
}

pub(crate) fn write(settings: &Settings, wait: Wait, epoch: u64) -> Result<(), Error> {
    let put = |name: &str, content: String| files::write(&settings.own.join(name), &content, settings.run_as);
    put("pg_ident.conf", pg_ident_conf(settings))?;
    put("pg_hba.conf", pg_hba_conf(settings))?;
    put("postgresql.conf", postgresql_conf(settings, wait, epoch))
}

/// Settings of ALTER SYSTEM that would override the driver's. pg_rewind and base backups bring the peer's.
const OWNED: [&str; 14] = [
    "synchronous_standby_names",
    "synchronous_commit",
    "primary_conninfo",
    "primary_slot_name",
    "recovery_target_timeline",
    "recovery_target",
    "recovery_target_lsn",
    "recovery_target_time",
    "recovery_target_xid",
    "recovery_target_name",
    "max_slot_wal_keep_size",
    "listen_addresses",
    "hot_standby",
    "geminios.epoch",
];

/// Takes them out of postgresql.auto.conf of the cluster in this folder, which is not running.
pub(crate) fn clear_overrides(data: &std::path::Path, owner: files::Owner) -> Result<(), Error> {
    let path = data.join("postgresql.auto.conf");
    let Ok(there) = std::fs::read_to_string(&path) else { return Ok(()) };
    let owned = |line: &&str| {
        let name =
            line.trim_start().split(|c: char| c == '=' || c.is_whitespace()).next().unwrap_or_default();
        OWNED.iter().any(|owned| owned.eq_ignore_ascii_case(name))
    };
    let kept: String = there.lines().filter(|line| !owned(line)).map(|line| format!("{line}\n")).collect();
    if kept == there { Ok(()) } else { files::write(&path, &kept, owner) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_of_the_peer_are_taken_out_and_others_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("postgresql.auto.conf");
        std::fs::write(
            &path,
            "# a\nSynchronous_Standby_Names = ''\nwork_mem='8MB'\n primary_conninfo='host=x'\n",
        )
        .unwrap();
        clear_overrides(folder.path(), None).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# a\nwork_mem='8MB'\n");
    }

    #[test]
    fn a_wait_is_known_by_its_names() {
        for wait in [Wait::Strict, Wait::Peer, Wait::Nothing] {
            assert_eq!(Wait::of(&wait.names("b"), "b"), Some(wait));
        }
        assert_eq!(Wait::of("*", "b"), None);
    }
}
