//! Nodes that prove themselves with certificates of the site's authority.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, thread::sleep, time::Duration};

use geminios_failover_postgres::{Goal, Phase, Tls};
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};

use crate::node::{COVERED, Node, PRIMARY, STOPPED, STREAMS, own, pair};

/// An authority, and a certificate for each name.
fn certificates(folder: &Path, names: &[&str]) {
    let named = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut params = named("site");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join("ca.crt"), certificate.pem()).unwrap();
    let site = Issuer::new(params, key);
    for name in names {
        let key = KeyPair::generate().unwrap();
        let certificate = named(name).signed_by(&key, &site).unwrap();
        fs::write(folder.join(format!("{name}.crt")), certificate.pem()).unwrap();
        let path = folder.join(format!("{name}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        own(&path);
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
