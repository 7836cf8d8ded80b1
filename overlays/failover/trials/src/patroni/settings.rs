//! What a Patroni is told. Its PostgreSQL has the settings of ours, as far as Patroni leaves them to others.

use std::fmt::Write as _;
use std::path::Path;

use super::lease::Lease;
use crate::layout;
use crate::network::Host;

/// Of an image; what the agent adds stands in [`OF_AGENT`].
const OF_IMAGE: &str = include_str!("../../../../postgresql/rootfs/etc/postgresql/postgresql.conf");

/// Where it is, and who may come in, is Patroni's to say.
const PATRONIS: [&str; 7] = [
    "data_directory",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "unix_socket_directories",
    "cluster_name",
    "include_if_exists",
];

const OF_AGENT: &str = "\
synchronous_commit = on
max_slot_wal_keep_size = '64MB'
wal_retrieve_retry_interval = '500ms'
wal_receiver_status_interval = '1s'
wal_receiver_timeout = '30s'
wal_sender_timeout = '30s'
tcp_keepalives_idle = 5
tcp_keepalives_interval = 2
tcp_keepalives_count = 3
tcp_user_timeout = '10s'
";

pub const SCOPE: &str = "trial";
pub const REST: u16 = 8008;
pub const ETCD: u16 = 2379;

/// The file of one node.
#[must_use]
pub fn file(host: Host, lease: Lease, binaries: &Path) -> String {
    let (name, address, etcd) = (host.name(), host.address(), Host::Witness.address());
    let Lease { ttl, loop_wait, retry_timeout, .. } = lease;
    let (data, folder, binaries) = (layout::DATA, layout::POSTGRESQL, binaries.display());
    let parameters = parameters();
    format!(
        "scope: {SCOPE}
name: {name}
restapi:
  listen: {address}:{REST}
  connect_address: {address}:{REST}
etcd3:
  host: {etcd}:{ETCD}
bootstrap:
  dcs:
    ttl: {ttl}
    loop_wait: {loop_wait}
    retry_timeout: {retry_timeout}
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters:
{parameters}  initdb:
  - encoding: UTF8
  - locale: C.UTF-8
  - data-checksums
postgresql:
  listen: {address}:5432
  connect_address: {address}:5432
  use_unix_socket: true
  data_dir: {data}
  bin_dir: {binaries}
  pgpass: {folder}/pgpass
  remove_data_directory_on_rewind_failure: true
  remove_data_directory_on_diverged_timelines: true
  basebackup:
  - checkpoint: fast
  authentication:
    superuser: {{username: postgres, password: trial}}
    replication: {{username: replicator, password: trial}}
  pg_hba:
  - local all all trust
  - host all all 10.77.0.0/24 trust
  - host replication replicator 10.77.0.0/24 trust
  parameters:
    unix_socket_directories: /run/postgresql
watchdog:
  mode: 'off'
"
    )
}

fn parameters() -> String {
    let mut out = String::new();
    for line in OF_IMAGE.lines().chain(OF_AGENT.lines()).filter(|line| !line.starts_with('#')) {
        let Some((key, value)) = line.split_once(" = ").filter(|(key, _)| !PATRONIS.contains(key)) else {
            continue;
        };
        let _ = writeln!(out, "        {key}: \"{}\"", value.trim_matches('\''));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_postgresql_has_the_settings_of_ours() {
        let parameters = parameters();
        for (line, is_there) in [
            ("        shared_buffers: \"64MB\"\n", true),
            ("        synchronous_commit: \"on\"\n", true),
            ("        wal_log_hints: \"on\"\n", true),
            ("data_directory", false),
            ("include_if_exists", false),
        ] {
            assert_eq!(parameters.contains(line), is_there, "{line}");
        }
    }

    #[test]
    fn the_lease_is_in_the_file() {
        let lease = Lease { name: "x", ttl: 7, loop_wait: 2, retry_timeout: 1 };
        let file = file(Host::B, lease, Path::new("/bin"));
        assert!(file.contains("    ttl: 7\n    loop_wait: 2\n    retry_timeout: 1\n"), "{file}");
        assert!(file.contains("name: b\n") && file.contains("listen: 10.77.0.12:8008\n"), "{file}");
    }
}
