use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use geminios_bootstrap::certificate::names;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use crate::scene::{Scene, certificate};

/// Mode and path of each file.
const FILES: &str = "\
0600 admin.conf
0600 controller-manager.conf
0600 coredns.conf
0600 encryption.yaml
0600 flannel.conf
0600 kubelet.conf
0600 monitor.conf
0644 node.env
0600 pki/apiserver-kubelet-client.crt
0600 pki/apiserver-kubelet-client.key
0600 pki/apiserver.crt
0600 pki/apiserver.key
0600 pki/ca.crt
0600 pki/ca.key
0600 pki/controller-manager.crt
0600 pki/controller-manager.key
0600 pki/front-proxy-ca.crt
0600 pki/front-proxy-ca.key
0600 pki/front-proxy-client.crt
0600 pki/front-proxy-client.key
0600 pki/kubelet.crt
0600 pki/kubelet.key
0600 pki/monitoring.crt
0600 pki/monitoring.key
0600 pki/sa.key
0600 pki/sa.pub
0600 pki/scheduler.crt
0600 pki/scheduler.key
0600 proxy.conf
0600 scheduler.conf
0600 super-admin.conf
";

#[test]
fn a_first_run_makes_everything_and_says_so() {
    let scene = Scene::empty();
    let report = scene.run();
    let files: String =
        scene.stats().iter().map(|(path, [.., mode])| format!("{mode:04o} {path}\n")).collect();
    assert_eq!(files, FILES);
    assert_eq!(fs::metadata(scene.path("pki")).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(report.refusals, Vec::<String>::new());
    let said = &report.lines[..6];
    assert_eq!(
        said.join("\n"),
        "encryption.yaml: made\n\
         node.env: geminios-0123abcd at 192.168.1.7\n\
         pki/ca.crt: made, valid until 2056-11-17 (was missing)\n\
         pki/front-proxy-ca.crt: made, valid until 2056-11-17 (was missing)\n\
         pki/sa.key: made (was missing)\n\
         pki/apiserver.crt: issued, valid until 2027-11-18 (was missing)"
    );
    assert_eq!(report.lines.len(), 5 + 16);
    scene.assert_sound("first run");
}

#[test]
fn a_second_run_writes_nothing_and_says_nothing() {
    let scene = Scene::made();
    let before = scene.stats();
    assert_eq!(scene.run(), Default::default());
    assert_eq!(scene.stats(), before);
}

#[test]
fn node_env_is_what_units_read() {
    assert_eq!(Scene::made().read("node.env"), b"NODE_NAME=geminios-0123abcd\nNODE_IP=192.168.1.7\n");
}

/// Subject, purpose (1 server, 2 client) and names of each certificate in pki/.
#[test]
fn certificates_say_what_they_should() {
    let scene = Scene::made();
    let node = "DNS:geminios-0123abcd IP:192.168.1.7";
    let api = "DNS:kubernetes DNS:kubernetes.default DNS:kubernetes.default.svc \
               DNS:kubernetes.default.svc.cluster.local DNS:localhost DNS:geminios-0123abcd DNS:geminios \
               IP:127.0.0.1 IP:::1 IP:10.43.0.1 IP:192.168.1.7";
    let local = "DNS:localhost IP:127.0.0.1";
    let cases = [
        ("apiserver", "CN=kube-apiserver", "1", api),
        ("apiserver-kubelet-client", "CN=kube-apiserver-kubelet-client", "2", ""),
        ("front-proxy-client", "CN=front-proxy-client", "2", ""),
        ("kubelet", "CN=system:node:geminios-0123abcd,O=system:nodes", "1", node),
        ("controller-manager", "CN=controller-manager", "1", local),
        ("scheduler", "CN=scheduler", "1", local),
        ("monitoring", "CN=monitoring", "1", &format!("DNS:localhost IP:127.0.0.1 {node}")),
    ];
    for (stem, subject, purpose, expected) in cases {
        let certificate = certificate(&scene.read(&format!("pki/{stem}.crt")));
        let tbs = &certificate.tbs_certificate;
        assert_eq!(tbs.subject.to_string(), subject);
        assert_eq!(tbs.validity.not_before.to_string(), "2020-01-01T00:00:00Z");
        assert!(tbs.serial_number.as_bytes().len() >= 16 && tbs.serial_number.as_bytes()[0] < 0x80);
        let (_, purposes) = tbs.get::<ExtendedKeyUsage>().unwrap().unwrap();
        assert_eq!(purposes.0[0].to_string(), format!("1.3.6.1.5.5.7.3.{purpose}"), "{stem}");
        assert_eq!(purposes.0.len(), 1);
        let (critical, basic) = tbs.get::<BasicConstraints>().unwrap().unwrap();
        assert!(critical && !basic.ca, "{stem}");
        let (critical, usage) = tbs.get::<KeyUsage>().unwrap().unwrap();
        assert!(critical && usage.digital_signature() && !usage.key_cert_sign(), "{stem}");
        let found = names(&certificate).map(|names| names.0).unwrap_or_default();
        assert_eq!(found.iter().map(written).collect::<Vec<_>>().join(" "), expected, "{stem}");
    }
    for stem in ["ca", "front-proxy-ca"] {
        let certificate = certificate(&scene.read(&format!("pki/{stem}.crt")));
        let (critical, basic) = certificate.tbs_certificate.get::<BasicConstraints>().unwrap().unwrap();
        assert!(critical && basic.ca, "{stem}");
        let (critical, usage) = certificate.tbs_certificate.get::<KeyUsage>().unwrap().unwrap();
        assert!(critical && usage.key_cert_sign(), "{stem}");
    }
}

fn written(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) => format!("DNS:{name}"),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            format!("IP:{}", four.unwrap_or_else(|_| <[u8; 16]>::try_from(bytes).unwrap().into()))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn kubeconfigs_name_their_users() {
    let scene = Scene::made();
    let cases = [
        ("admin", "CN=kubernetes-admin,O=geminios:cluster-admins"),
        ("super-admin", "CN=kubernetes-super-admin,O=system:masters"),
        ("controller-manager", "CN=system:kube-controller-manager"),
        ("scheduler", "CN=system:kube-scheduler"),
        ("kubelet", "CN=system:node:geminios-0123abcd,O=system:nodes"),
        ("proxy", "CN=system:kube-proxy"),
        ("flannel", "CN=geminios:flannel"),
        ("coredns", "CN=geminios:coredns"),
        ("monitor", "CN=geminios:monitor"),
    ];
    for (stem, subject) in cases {
        let held = geminios_bootstrap::kubeconfig::parse(&scene.read(&format!("{stem}.conf")));
        let certificate = certificate(&held.certificate.unwrap());
        assert_eq!(certificate.tbs_certificate.subject.to_string(), subject);
        let (_, purposes) = certificate.tbs_certificate.get::<ExtendedKeyUsage>().unwrap().unwrap();
        assert_eq!(purposes.0[0].to_string(), "1.3.6.1.5.5.7.3.2", "{stem}");
    }
}

#[test]
fn a_host_name_that_no_certificate_can_have_is_left_out() {
    let mut scene = Scene::empty();
    for host in ["(none)", "localhost", "geminios-0123abcd"] {
        scene.node.host = host.into();
        scene.run();
        let names = names(&certificate(&scene.read("pki/apiserver.crt"))).unwrap().0;
        assert_eq!(names.len(), 6 + 4, "{host}");
    }
}

/// A judge of another origin, where there is one.
#[test]
fn openssl_agrees() {
    if Command::new("openssl").arg("version").output().is_err() {
        return eprintln!("no openssl here: not checked");
    }
    let scene = Scene::made();
    let cases = [
        ("ca", "apiserver", "sslserver"),
        ("ca", "kubelet", "sslserver"),
        ("ca", "controller-manager", "sslserver"),
        ("ca", "scheduler", "sslserver"),
        ("ca", "monitoring", "sslserver"),
        ("ca", "apiserver-kubelet-client", "sslclient"),
        ("front-proxy-ca", "front-proxy-client", "sslclient"),
    ];
    for (authority, leaf, purpose) in cases {
        let mut verify = Command::new("openssl");
        verify.args([
            "verify",
            "-x509_strict",
            "-check_ss_sig",
            "-purpose",
            purpose,
            "-attime",
            &scene.now.to_string(),
        ]);
        verify.arg("-CAfile").arg(scene.path(&format!("pki/{authority}.crt")));
        let output = verify.arg(scene.path(&format!("pki/{leaf}.crt"))).output().unwrap();
        assert!(output.status.success(), "{leaf}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
