//! Nodes that prove themselves with certificates of the site's authority. The certificates are openssl's.

use std::{fs, path::Path, process::Command, thread::sleep, time::Duration};

use geminios_failover_postgres::{Goal, Phase, Tls};

use crate::node::{COVERED, Node, PRIMARY, STOPPED, STREAMS, own, pair};

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "openssl {arguments}: {done:?}");
}

/// An authority, and a certificate for each name.
fn certificates(folder: &Path, names: &[&str]) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(folder, &format!("req -x509 {key} -days 2 -subj /CN=site -keyout ca.key -out ca.crt"));
    for name in names {
        openssl(folder, &format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out {name}.crt"
            ),
        );
        own(&folder.join(format!("{name}.key")));
    }
}

fn secure(node: &mut Node, folder: &Path, name: &str, peer: &str) {
    let path = |file: String| folder.join(file);
    node.settings.tls = Some(Tls {
        authority: path("ca.crt".into()),
        certificate: path(format!("{name}.crt")),
        key: path(format!("{name}.key")),
        peer_name: peer.into(),
    });
    node.begin();
}

#[test]
fn a_pair_with_certificates_and_a_stranger_with_one_of_the_same_authority() {
    if Command::new("openssl").arg("version").output().is_err() {
        return eprintln!("skipped: no openssl");
    }
    let Some((site, mut a, mut b)) = pair() else { return };
    let folder = site.folder.path();
    certificates(folder, &["left", "right", "stranger"]);
    secure(&mut a, folder, "left", "right");
    a.aim(Goal::Lead { epoch: 1, sync: false });
    a.until(PRIMARY);
    a.sql("create table t (n int primary key)");

    secure(&mut b, folder, "stranger", "left");
    b.aim(Goal::Follow { epoch: 1 });
    sleep(Duration::from_secs(4));
    assert_eq!(b.seen(), [STOPPED]);
    assert!(!b.had(|phase| matches!(phase, Phase::BaseBackup { .. })));
    let log = fs::read_to_string(a.settings.socket.join("log")).unwrap();
    assert!(log.contains("certificate authentication failed for user"), "{log}");

    secure(&mut b, folder, "right", "left");
    b.aim(Goal::Follow { epoch: 1 });
    b.until(STREAMS);
    a.aim(Goal::Lead { epoch: 1, sync: true });
    a.until(COVERED);
    assert_eq!(a.sql("select bool_and(ssl) from pg_stat_ssl join pg_stat_replication using (pid)"), "t");
    // The other way round, and with a rewind.
    a.driver = None;
    a.kill();
    b.aim(Goal::Lead { epoch: 2, sync: false });
    b.until(PRIMARY);
    a.begin();
    a.aim(Goal::Follow { epoch: 2 });
    a.until(STREAMS);
    assert!(a.had(|phase| *phase == Phase::Rewound), "{:?}", a.phases());
}
