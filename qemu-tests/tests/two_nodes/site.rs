//! What a person would write for two nodes: settings, keys, certificates. Each machine gets its files as one credential, from which
//! systemd-tmpfiles makes them (tmpfiles.d(5), `f+~`).

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use geminios_bootstrap::node::Node;
use geminios_bootstrap::run::run;
use geminios_bootstrap::state::State;
use geminios_qemu_tests::{Product, state};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, SanType,
};
use tempfile::TempDir;

/// The site's own.
pub const ADDRESS: &str = "192.168.77.10";
/// Where a machine has certificates of clients.
pub const CLIENTS: &str = "/run/clients";
/// Of each machine, to the other one.
const PORT: &str = "pair0";

/// What a machine is given: systemd.system-credentials(7).
const CREDENTIALS: [&str; 3] = ["tmpfiles.extra", "network.link.10-pair", "network.network.50-pair"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

impl Side {
    fn other(self) -> Side {
        if self == Side::A { Side::B } else { Side::A }
    }

    fn name(self) -> &'static str {
        if self == Side::A { "a" } else { "b" }
    }

    pub fn address(self) -> &'static str {
        if self == Side::A { "192.168.77.11" } else { "192.168.77.12" }
    }

    fn mac(self) -> &'static str {
        if self == Side::A { "52:54:00:00:77:0a" } else { "52:54:00:00:77:0b" }
    }
}

pub struct Site {
    disks: [TempDir; 2],
    folder: TempDir,
    witness: Child,
    port: u16,
}

impl Site {
    pub fn new(product: &Product) -> Result<Self> {
        let folder = TempDir::new()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let program = product.project.join("target/release/geminios-witness");
        let [register, sites] = ["register", "sites"].map(|name| folder.path().join(name));
        let witness = |verb: &[&str]| {
            let mut command = Command::new(&program);
            command.args(verb).arg("--dir").arg(&register).arg("--sites").arg(&sites);
            command
        };
        let made = witness(&["add-site", "pair"]).status().with_context(|| program.display().to_string())?;
        ensure!(made.success(), "the witness takes no site");
        let listen = format!("127.0.0.1:{port}");
        let witness = witness(&["serve", "--listen", &listen]).stdin(Stdio::null()).spawn()?;
        let site = Site { disks: [state(product)?, state(product)?], folder, witness, port };
        site.write()?;
        Ok(site)
    }

    pub fn disk(&self, side: Side) -> &Path {
        self.disks[side as usize].path()
    }

    pub fn options(&self, side: Side) -> Vec<String> {
        let socket = |side: Side| self.folder.path().join(side.name()).display().to_string();
        let cable = format!("{},{},{}", side.mac(), socket(side), socket(side.other()));
        let mut options =
            ["--cable", &cable, "--cpus=1", "--reach", &self.port.to_string()].map(str::to_owned).to_vec();
        for name in CREDENTIALS {
            options.extend([
                "--credential".to_owned(),
                format!("{name}={}", self.credential(side, name).display()),
            ]);
        }
        options
    }

    fn credential(&self, side: Side, name: &str) -> PathBuf {
        self.folder.path().join(format!("{}-{name}", side.name()))
    }

    fn write(&self) -> Result<()> {
        let mut key = [0; 32];
        std::io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut key)?;
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let witness = fs::read(self.folder.path().join("sites/pair.key"))?;
        let shared = self.kubernetes()?;
        let authority = Authority::new()?;
        for side in [Side::A, Side::B] {
            let mut files = Files::default();
            files.folder("/var/lib/geminios", "0755", "root");
            let own = "/var/lib/geminios/failover";
            files.folder(own, "0700", "root");
            files.file(&format!("{own}/settings.toml"), "0600", "root", settings(side).as_bytes());
            files.file(&format!("{own}/key"), "0600", "root", key.as_bytes());
            files.file(&format!("{own}/witness.key"), "0600", "root", &witness);
            files.file(&format!("{own}/kine.env"), "0600", "root", kine(side).as_bytes());
            files.folder("/var/lib/postgresql", "0750", "postgres");
            files.folder("/var/lib/postgresql/17", "0750", "postgres");
            // Each of the two programs has its copy of the node's key.
            let certificate = authority.certify(side.name(), &[], None)?;
            for (folder, user) in [("/var/lib/postgresql", "postgres"), ("/var/lib/geminios/kine", "kine")] {
                files.folder(folder, "0750", user);
                files.folder(&format!("{folder}/tls"), "0700", user);
                let parts = [
                    ("ca.crt", &authority.certificate),
                    ("node.crt", &certificate.0),
                    ("node.key", &certificate.1),
                ];
                for (name, content) in parts {
                    files.file(&format!("{folder}/tls/{name}"), "0600", user, content.as_bytes());
                }
            }
            management(&mut files, side, &authority)?;
            files.folder("/var/lib/kubernetes", "0755", "root");
            files.folder("/var/lib/kubernetes/pki", "0755", "root");
            for (name, mode, content) in &shared {
                files.file(&format!("/var/lib/kubernetes/{name}"), mode, "root", content);
            }
            let node = format!("NODE_NAME=node-{}\nNODE_IP={}\n", side.name(), side.address());
            files.file("/var/lib/kubernetes/node.env", "0644", "root", node.as_bytes());
            fs::write(self.credential(side, "tmpfiles.extra"), files.0)?;
            for (name, text) in network(side) {
                fs::write(self.credential(side, name), text)?;
            }
        }
        Ok(())
    }

    /// Both nodes have one authority, one key for tokens and one for secrets.
    fn kubernetes(&self) -> Result<Vec<(&'static str, &'static str, Vec<u8>)>> {
        let root = self.folder.path().join("kubernetes");
        fs::create_dir_all(root.join("pki"))?;
        let node = Node { name: "none".into(), ip: "192.0.2.1".parse()?, host: "none".into() };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        run(&State::new(&root, &[]), &node, now)?;
        let files = [
            ("pki/ca.crt", "0644"),
            ("pki/ca.key", "0600"),
            ("pki/front-proxy-ca.crt", "0644"),
            ("pki/front-proxy-ca.key", "0600"),
            ("pki/sa.key", "0600"),
            ("pki/sa.pub", "0644"),
            ("encryption.yaml", "0600"),
        ];
        files.iter().map(|(name, mode)| Ok((*name, *mode, fs::read(root.join(name))?))).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.witness.kill();
        let _ = self.witness.wait();
    }
}

/// Lines for systemd-tmpfiles.
#[derive(Default)]
struct Files(String);

impl Files {
    fn of_group(&mut self, path: &str, group: &str, content: &[u8]) {
        let _ = writeln!(self.0, "f+~ {path} 0640 root {group} - {}", BASE64_STANDARD.encode(content));
    }

    fn folder(&mut self, path: &str, mode: &str, user: &str) {
        let _ = writeln!(self.0, "d {path} {mode} {user} {user} -");
    }

    fn file(&mut self, path: &str, mode: &str, user: &str, content: &[u8]) {
        let _ = writeln!(self.0, "f+~ {path} {mode} {user} {user} - {}", BASE64_STANDARD.encode(content));
    }
}

/// The second port, for systemd-network-generator(8): it is there before systemd-networkd starts. The first one, to the host, keeps what it
/// has.
fn network(side: Side) -> [(&'static str, String); 2] {
    let matches = format!("[Match]\nMACAddress={}\n\n", side.mac());
    let address =
        format!("[Network]\nAddress={}/24\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n", side.address());
    [
        ("network.link.10-pair", format!("{matches}[Link]\nName={PORT}\n")),
        ("network.network.50-pair", matches + &address),
    ]
}

/// Its port, and an operator's certificate and a viewer's, for who stands at the machine.
fn management(files: &mut Files, side: Side, authority: &Authority) -> Result<()> {
    let (folder, other) = ("/var/lib/geminios/management", side.other());
    let settings = format!(
        "{{\"node\": \"node-{}\", \"peer\": {{\"node\": \"node-{}\", \"address\": \"{}:7443\"}}}}",
        side.name(),
        other.name(),
        other.address()
    );
    let node = authority.certify(side.name(), &[side.address()], None)?;
    let operator = authority.certify("operator", &[], Some("geminios:operators"))?;
    let viewer = authority.certify("viewer", &[], Some("geminios:viewers"))?;
    files.folder(folder, "0750", "root");
    for (name, content) in [
        ("settings.json", &settings),
        ("ca.crt", &authority.certificate),
        ("node.crt", &node.0),
        ("node.key", &node.1),
    ] {
        files.of_group(&format!("{folder}/{name}"), "management", content.as_bytes());
    }
    files.folder(CLIENTS, "0700", "root");
    for (name, content) in [
        ("ca.crt", &authority.certificate),
        ("operator.crt", &operator.0),
        ("operator.key", &operator.1),
        ("viewer.crt", &viewer.0),
        ("viewer.key", &viewer.1),
    ] {
        files.file(&format!("{CLIENTS}/{name}"), "0600", "root", content.as_bytes());
    }
    Ok(())
}

fn kine(side: Side) -> String {
    let tls = "/var/lib/geminios/kine/tls";
    let (other, folder) = (side.other().address(), "/run/postgresql");
    format!(
        "PEER={other}\nKINE_ENDPOINT=postgres://kine@/kine?host={folder},{other}&target_session_attrs=primary&connect_timeout=5\
         &sslmode=verify-ca&sslrootcert={tls}/ca.crt&sslcert={tls}/node.crt&sslkey={tls}/node.key\n"
    )
}

/// Four times what a machine needs that is not emulated.
fn settings(side: Side) -> String {
    let (me, other) = (side.address(), side.other());
    let binaries = "/usr/lib/postgresql/17/bin";
    let tls = "/var/lib/postgresql/tls";
    format!(
        "me = '{}'\ndecides = 'witness'\nkey = '/var/lib/geminios/failover/key'\nstate = '/var/lib/geminios/failover'\n\
         socket = '/run/geminios-failover/socket'\n\
         management = '/run/geminios-management/agent'\nfollow = '/usr/lib/geminios/follow-leader'\n\
         [[path]]\nmine = '{me}:7946'\nother = '{}:7946'\n\
         [address]\ninterface = '{PORT}'\naddresses = ['{ADDRESS}/32']\n\
         [watchdog]\ndevice = '/dev/watchdog0'\ntimeout = 5\n\
         [witness]\nsite = 'pair'\n[witness.service]\naddress = '10.0.2.100:80'\nkey = '/var/lib/geminios/failover/witness.key'\n\
         [postgresql]\ndata = '/var/lib/postgresql/17/main'\nown = '/var/lib/postgresql/17/failover'\nbinaries = '{binaries}'\n\
         config = '/etc/postgresql/postgresql.conf'\nsocket = '/run/postgresql'\nlisten = '{me}'\npeer = '{}'\n\
         unit = 'postgresql-led.service'\nrun-as = [920, 920]\nclients = ['kine']\n\
         initdb = ['{binaries}/initdb', '--username=postgres', '--encoding=UTF8', '--locale-provider=builtin', \
         '--builtin-locale=C.UTF-8', '--locale=C.UTF-8', '--data-checksums', '--auth=peer', '--pgdata']\n\
         [postgresql.tls]\nauthority = '{tls}/ca.crt'\ncertificate = '{tls}/node.crt'\nkey = '{tls}/node.key'\npeer-name = '{}'\n\
         [times]\nheartbeat = 500\npromise = 8000\ndrift = 160\nloss = 3000\nstart = 60000\ndisk = 60000\n",
        side.name(),
        other.address(),
        other.address(),
        other.name(),
    )
}

/// The site's, for PostgreSQL.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = named("pair");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Authority { certificate: params.self_signed(&key)?.pem(), issuer: Issuer::new(params, key) })
    }

    /// Certificate and key. `addresses`: of a server; `organization`: what a client may do.
    fn certify(
        &self,
        name: &str,
        addresses: &[&str],
        organization: Option<&str>,
    ) -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let mut params = named(name);
        for address in addresses {
            params.subject_alt_names.push(SanType::IpAddress(address.parse()?));
        }
        if let Some(organization) = organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
