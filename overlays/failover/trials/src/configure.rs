//! What a site's machines are given before they start.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::choice;
use crate::command::run;
use crate::follow::Kine;
use crate::layout;
use crate::network::{ADDRESS, Host, Network};
use crate::node::Node;
use crate::site::PORT;
use crate::sort::Sort;
use crate::unit::{Unit, id};

pub struct Configure<'a> {
    pub sort: Sort,
    pub folder: &'a Path,
    pub image: &'a Path,
    pub programs: &'a Path,
}

impl Configure<'_> {
    /// # Errors
    /// A file cannot be written; a program fails.
    pub fn all(&self, nodes: [&Node; 2], network: &Network) -> Result<()> {
        self.keys(nodes)?;
        self.configure(nodes[0], Host::B)?;
        self.configure(nodes[1], Host::A)?;
        certificates(nodes, network)
    }

    fn keys(&self, nodes: [&Node; 2]) -> Result<()> {
        let folder = self.folder;
        let mut witness = Command::new(self.programs.join("geminios-witness"));
        witness.args(["add-site", "trial"]);
        run(witness.arg("--dir").arg(folder.join("register")).arg("--sites").arg(folder.join("sites")))?;
        let witness_key = fs::read_to_string(folder.join("sites/trial.key"))?;
        let mut random = [0; 32];
        std::io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut random)?;
        let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        for node in nodes {
            node.write(layout::KEY, &key, 0o600)?;
            node.write(layout::WITNESS_KEY, &witness_key, 0o600)?;
        }
        Ok(())
    }

    fn configure(&self, node: &Node, other: Host) -> Result<()> {
        let image = self.image;
        let (mine, other) = (node.host.address(), other.address());
        let digit = if node.host == Host::A { "a" } else { "b" };
        node.write("/etc/machine-id", &format!("{}\n", digit.repeat(32)), 0o444)?;
        let how = if choice::kine() == Kine::Cut { "cut" } else { "restart" };
        let follow = format!("#!/bin/sh\nexec /opt/failover-trials follow {how} {other} \"$@\"\n");
        node.write(layout::FOLLOW, &follow, 0o755)?;
        node.write(layout::FENCE, "#!/bin/sh\nexec /opt/failover-trials power-off\n", 0o755)?;
        let user = id(image, "postgres")?;
        node.write(layout::SETTINGS, &settings(self.sort, digit, mine, other, user), 0o600)?;
        let units = [
            agent(),
            kine_unit(image, other)?,
            Unit::of_image(image, "kube-apiserver", &[("NODE_IP", mine)])?,
        ];
        node.write(layout::UNITS, &serde_json::to_string(&units)?, 0o644)
    }
}

/// Both nodes have one authority, one key for tokens and one for secrets.
fn certificates([a, b]: [&Node; 2], network: &Network) -> Result<()> {
    let bootstrap = ["/usr/bin/geminios-bootstrap", "--root", layout::KUBERNETES];
    a.run_once(network, &bootstrap)?;
    let pki = |node: &Node| node.path(layout::KUBERNETES).join("pki");
    fs::create_dir_all(pki(b))?;
    for name in ["ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"] {
        fs::copy(pki(a).join(name), pki(b).join(name)).context(name)?;
    }
    let secrets = |node: &Node| node.path(layout::KUBERNETES).join("encryption.yaml");
    fs::copy(secrets(a), secrets(b))?;
    b.run_once(network, &bootstrap).map(drop)
}

fn agent() -> Unit {
    // What is late by seconds is taken for lost. What it starts gets no such priority.
    let command = [
        "/usr/bin/chrt",
        "--rr",
        "--reset-on-fork",
        "1",
        "/opt/geminios-failover",
        "--config",
        layout::SETTINGS,
        "run",
    ];
    Unit {
        name: "agent".into(),
        command: command.map(str::to_owned).into(),
        environment: Vec::new(),
        user: None,
        pause: Duration::from_millis(100),
        starts: true,
    }
}

/// As on a device, but for where its database is.
fn kine_unit(image: &Path, other: &str) -> Result<Unit> {
    let mut kine = Unit::of_image(image, "kine", &[])?;
    let at =
        kine.command.iter().position(|word| word == "--endpoint").context("kine.service: no --endpoint")?;
    kine.command.drain(at..at + 2);
    kine.command.extend(["--endpoint".to_owned(), choice::kine().endpoint(other)]);
    kine.starts = choice::kine() == Kine::Cut;
    Ok(kine)
}

fn settings(sort: Sort, me: &str, mine: &str, other: &str, user: u32) -> String {
    let layout::Paths { key, state, agent, follow, witness_key, data, own, binaries, config } = layout::PATHS;
    let witness = Host::Witness.address();
    // The agent's own, but for the pace.
    let [promise, drift, loss, start] = [2000, 40, 1000, 10_000].map(|time| time * choice::pace());
    // What has power over the other machine is quick here.
    let [fence, apart] = [1000, 2500].map(|time| time * choice::pace());
    let (decides, means) = match sort {
        Sort::Witness | Sort::Disks => (
            "witness",
            format!(
                "[witness]\nsite = 'trial'\n[witness.service]\naddress = '{witness}:{PORT}'\nkey = '{witness_key}'\n"
            ),
        ),
        Sort::Fence => ("fence", format!("[fence.command]\nprogram = '{}'\narguments = []\n", layout::FENCE)),
    };
    format!(
        "me = '{me}'\ndecides = '{decides}'\nkey = '{key}'\nstate = '{state}'\nsocket = '{agent}'\nfollow = '{follow}'\n\
         without-watchdog = 'a leader that hangs may be read from until somebody resets it'\n\
         [[path]]\nmine = '{mine}:7946'\nother = '{other}:7946'\n\
         [address]\ninterface = 'eth0'\naddresses = ['{ADDRESS}/32']\n\
         {means}[postgresql]\ndata = '{data}'\nown = '{own}'\nbinaries = '{binaries}'\nconfig = '{config}/postgresql.conf'\n\
         socket = '/run/postgresql'\nlisten = '{mine}'\npeer = '{other}'\nrun-as = [{user}, {user}]\nslot-keep = 64\nclients = ['kine']\n\
         initdb = ['{binaries}/initdb', '--username=postgres', '--encoding=UTF8', '--locale-provider=builtin', \
         '--builtin-locale=C.UTF-8', '--locale=C.UTF-8', '--data-checksums', '--auth=peer', '--pgdata']\n\
         [times]\npromise = {promise}\ndrift = {drift}\nloss = {loss}\nstart = {start}\nfence = {fence}\nfence-delay = {apart}\n"
    )
}
