//! All that a node has: two authorities, what they issue, and the files it is in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::clients::Client;
use crate::clock::{DAY, UnixTime};
use crate::encryption;
use crate::node::{self, Node, is_dns_name};

/// The folder of keys and certificates, below the root.
pub const PKI: &str = "pki";
/// Its permissions.
pub const PKI_MODE: u32 = 0o755;

/// Signs tokens of service accounts, and what verifies them.
pub const ACCOUNT_KEY: &str = "pki/sa.key";
pub const ACCOUNT_PUBLIC_KEY: &str = "pki/sa.pub";

/// The first address of the services' network, 10.43.0.0/16, is the API server's.
const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 43, 0, 1);

/// How long a new certificate is valid.
pub const AUTHORITY_LIFE: UnixTime = 10_957 * DAY; // 30 years
pub const LEAF_LIFE: UnixTime = 365 * DAY;

/// A certificate authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Of all but the front proxy.
    Cluster,
    /// Whoever has its certificate may speak for any user: it issues one, the API server's own.
    FrontProxy,
}

impl Authority {
    pub const ALL: [Authority; 2] = [Authority::Cluster, Authority::FrontProxy];

    pub fn key(self) -> &'static str {
        match self {
            Authority::Cluster => "pki/ca.key",
            Authority::FrontProxy => "pki/front-proxy-ca.key",
        }
    }

    pub fn certificate(self) -> &'static str {
        match self {
            Authority::Cluster => "pki/ca.crt",
            Authority::FrontProxy => "pki/front-proxy-ca.crt",
        }
    }

    pub fn subject(self) -> Subject {
        let name = match self {
            Authority::Cluster => "kubernetes",
            Authority::FrontProxy => "front-proxy-ca",
        };
        Subject { common_name: name.to_owned(), organization: None }
    }
}

/// Whom a certificate names: a user and their group, as Kubernetes reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub common_name: String,
    pub organization: Option<&'static str>,
}

/// What a certificate may be used for in TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    Server,
    Client,
}

/// A name or address that a server is reached by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AltName {
    Dns(String),
    Ip(IpAddr),
}

/// Where a certificate and its key are, by paths below the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Pair { key: &'static str, certificate: &'static str },
    Kubeconfig(&'static str),
}

impl Place {
    /// The file that stands for it in messages.
    pub fn path(self) -> &'static str {
        match self {
            Place::Pair { certificate, .. } => certificate,
            Place::Kubeconfig(path) => path,
        }
    }
}

/// A certificate of a year, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub place: Place,
    pub authority: Authority,
    pub subject: Subject,
    pub usage: Usage,
    pub names: Vec<AltName>,
}

macro_rules! pair {
    ($stem:literal) => {
        Place::Pair { key: concat!("pki/", $stem, ".key"), certificate: concat!("pki/", $stem, ".crt") }
    };
}

/// Every certificate that a node has, in the order that they are issued in.
pub fn leaves(node: &Node, clients: &[Client]) -> Vec<Leaf> {
    let node_user = format!("system:node:{}", node.name);
    let local = || vec![AltName::Dns("localhost".into()), AltName::Ip(Ipv4Addr::LOCALHOST.into())];
    let of_node = || vec![AltName::Dns(node.name.clone()), AltName::Ip(node.ip.into())];
    let mut leaves = vec![
        server(pair!("apiserver"), "kube-apiserver", None, api_names(node)),
        client(pair!("apiserver-kubelet-client"), "kube-apiserver-kubelet-client", None),
        Leaf {
            authority: Authority::FrontProxy,
            ..client(pair!("front-proxy-client"), "front-proxy-client", None)
        },
        server(pair!("kubelet"), &node_user, Some("system:nodes"), of_node()),
        server(pair!("controller-manager"), "controller-manager", None, local()),
        server(pair!("scheduler"), "scheduler", None, local()),
        server(pair!("monitoring"), "monitoring", None, [local(), of_node()].concat()),
        // RBAC binds this group; nothing can lock out system:masters.
        kubeconfig("admin.conf", "kubernetes-admin", Some("geminios:cluster-admins")),
        kubeconfig("super-admin.conf", "kubernetes-super-admin", Some("system:masters")),
        kubeconfig("controller-manager.conf", "system:kube-controller-manager", None),
        kubeconfig("scheduler.conf", "system:kube-scheduler", None),
        kubeconfig("kubelet.conf", &node_user, Some("system:nodes")),
        kubeconfig("proxy.conf", "system:kube-proxy", None),
    ];
    leaves.extend(clients.iter().map(|client| kubeconfig(client.kubeconfig, client.user, None)));
    leaves
}

/// By what names and addresses pods, this node and other machines reach the API server.
fn api_names(node: &Node) -> Vec<AltName> {
    let of_service = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let mut names: Vec<&str> = of_service.into_iter().chain(["localhost", &node.name]).collect();
    if is_dns_name(&node.host) && !names.contains(&node.host.as_str()) {
        names.push(&node.host);
    }
    let addresses: [IpAddr; 4] =
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), API_SERVICE.into(), node.ip.into()];
    let names = names.into_iter().map(|name| AltName::Dns(name.to_owned()));
    names.chain(addresses.map(AltName::Ip)).collect()
}

fn server(place: Place, name: &str, organization: Option<&'static str>, names: Vec<AltName>) -> Leaf {
    Leaf { usage: Usage::Server, names, ..client(place, name, organization) }
}

fn client(place: Place, name: &str, organization: Option<&'static str>) -> Leaf {
    let subject = Subject { common_name: name.to_owned(), organization };
    Leaf { place, authority: Authority::Cluster, subject, usage: Usage::Client, names: Vec::new() }
}

fn kubeconfig(path: &'static str, name: &str, organization: Option<&'static str>) -> Leaf {
    client(Place::Kubeconfig(path), name, organization)
}

/// Paths of all files that a node has.
pub fn files(clients: &[Client]) -> Vec<&'static str> {
    let nobody = Node { name: String::new(), ip: Ipv4Addr::UNSPECIFIED, host: String::new() };
    let mut files = vec![node::FILE, encryption::FILE, ACCOUNT_KEY, ACCOUNT_PUBLIC_KEY];
    files.extend(Authority::ALL.iter().flat_map(|authority| [authority.key(), authority.certificate()]));
    for leaf in leaves(&nobody, clients) {
        match leaf.place {
            Place::Pair { key, certificate } => files.extend([key, certificate]),
            Place::Kubeconfig(path) => files.push(path),
        }
    }
    files
}

/// Permissions of a file: root's alone, certificates too (CIS Kubernetes Benchmark 1.1.20).
pub fn mode(path: &str) -> u32 {
    if path == node::FILE { 0o644 } else { 0o600 }
}
