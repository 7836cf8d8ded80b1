use std::{net::IpAddr, path::PathBuf, time::Duration};

use crate::Error;

/// One node's PostgreSQL and its peer's.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The cluster: `/var/lib/postgresql/17/main`.
    pub data: PathBuf,
    /// The driver's own folder, on the file system of `data`: configuration, marks, forks, and a base backup under way.
    pub own: PathBuf,
    /// Where `postgres`, `psql`, `pg_rewind`, `pg_basebackup` and `pg_controldata` are.
    pub binaries: PathBuf,
    /// `postgresql.conf`. It ends with `include '<own>/postgresql.conf'`, its pg_hba.conf has `include <own>/pg_hba.conf`, its
    /// pg_ident.conf `include <own>/pg_ident.conf` (the two last need PostgreSQL 16).
    pub config_file: PathBuf,
    /// The folder of the server's Unix socket, and its port.
    pub socket: PathBuf,
    pub port: u16,
    pub superuser: String,
    /// User and group of PostgreSQL, where the agent is root.
    pub run_as: Option<(u32, u32)>,
    /// This node as a standby: its application_name and its slot on the leader. Lower case letters, digits and `_`.
    pub name: String,
    /// Where this node listens for its peer.
    pub listen: IpAddr,
    pub peer: Peer,
    /// Who replicates; the driver makes it on the leader.
    pub replication_user: String,
    /// Who else comes from the peer: users of a database of their own name, such as Kine.
    pub clients: Vec<String>,
    /// Both prove themselves with certificates; without this, each trusts the other's address. For tests only.
    pub tls: Option<Tls>,
    /// Megabytes of WAL that a standby may be behind before it has to be made anew.
    pub slot_keep: u32,
    /// Command and arguments that make the first cluster of a new site in the folder whose path is appended. Without it a leader
    /// without data does not start. Used in epoch 1 only.
    pub initdb: Option<Vec<String>>,
    pub forks: ForkLimits,
    pub limits: Limits,
}

/// The other node.
#[derive(Clone, Debug)]
pub struct Peer {
    pub name: String,
    pub address: IpAddr,
    pub port: u16,
}

/// Files that PostgreSQL can read, and who the peer is.
#[derive(Clone, Debug)]
pub struct Tls {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Common name of the peer's certificate.
    pub peer_name: String,
}

/// How many forks are kept for audit, and bytes in all.
#[derive(Clone, Copy, Debug)]
pub struct ForkLimits {
    pub number: usize,
    pub bytes: u64,
}

/// Times after which the driver does something else.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Between two looks at the own server.
    pub poll: Duration,
    /// For an answer of the own server to one question.
    pub answer: Duration,
    /// A server that neither answers nor works for so long hangs and is stopped at once, if it is wanted to run; one that works
    /// after ten times as long.
    pub hang: Duration,
    /// For a clean stop, before it becomes an immediate one.
    pub clean: Duration,
    /// For an immediate stop, before the processes are killed.
    pub immediate: Duration,
    /// A standby that could stream, but does not, is rewound after this, or made anew.
    pub stuck: Duration,
    /// Between two questions to the leader.
    pub ask: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            poll: Duration::from_millis(200),
            answer: Duration::from_secs(2),
            hang: Duration::from_secs(30),
            clean: Duration::from_secs(30),
            immediate: Duration::from_secs(2),
            stuck: Duration::from_secs(120),
            ask: Duration::from_secs(2),
        }
    }
}

impl Default for ForkLimits {
    fn default() -> Self {
        ForkLimits { number: 3, bytes: 512 << 20 }
    }
}

impl Settings {
    /// # Errors
    /// Names that cannot stand in a configuration or name a slot.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let plain = |name: &str| {
            (1..=63).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        for name in [&self.name, &self.peer.name, &self.replication_user] {
            if !plain(name) || name == crate::conf::NOBODY {
                return Err(Error::Name(name.clone()));
            }
        }
        if let Some(name) = self.clients.iter().find(|name| !plain(name)) {
            return Err(Error::Name(name.clone()));
        }
        if self.name == self.peer.name {
            return Err(Error::Name(self.name.clone()));
        }
        let paths = [&self.data, &self.own, &self.config_file, &self.socket, &self.binaries];
        let tls = self.tls.iter().flat_map(|tls| [&tls.authority, &tls.certificate, &tls.key]);
        for path in paths.into_iter().chain(tls) {
            let text = path.to_string_lossy();
            if !path.is_absolute() || text.chars().any(|c| c.is_whitespace() || "'\"\\".contains(c)) {
                return Err(Error::Path(path.clone()));
            }
        }
        match &self.tls {
            Some(tls) if tls.peer_name.chars().any(|c| c.is_control() || "\"\\/".contains(c)) => {
                Err(Error::Name(tls.peer_name.clone()))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }
}
