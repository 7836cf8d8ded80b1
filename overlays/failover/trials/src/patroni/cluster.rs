//! Two nodes with Patroni and PostgreSQL, and etcd on the third machine.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::installed::{ETCD, Installed, PATRONI, PATRONICTL};
use super::lease::Lease;
use super::settings;
use crate::command::run;
use crate::layout;
use crate::network::{Host, Network};
use crate::node::Node;
use crate::site::PATIENCE;
use crate::unit::Unit;
use crate::usage::{self, Machine, Usages};
use crate::writer::{Acknowledged, TABLE};

const CONFIG: &str = "/var/trial/patroni.yml";
/// The key /service/trial/leader, in base 64 as etcd wants it.
const LEADER: &str = "L3NlcnZpY2UvdHJpYWwvbGVhZGVy";

/// A process that ends with the cluster.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

pub struct Cluster {
    // Dropped in this order: processes, network, folder.
    writer: Option<Owned>,
    a: Node,
    b: Node,
    etcd: Owned,
    network: Network,
    binaries: PathBuf,
    pub lease: Lease,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Makes a new one and waits until each commit is on both nodes.
    ///
    /// # Errors
    /// This machine or user cannot do this; a program does not come up, with where its log is.
    pub fn up(installed: &Installed, lease: Lease) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gp").tempdir()?;
        // PostgreSQL's user goes through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let programs = folder.path().join("programs");
        fs::create_dir(&programs)?;
        fs::copy(std::env::current_exe()?, programs.join("failover-trials"))?;
        let network = Network::make(Path::new("/"))?;
        let node = |host: Host| -> Result<Node> {
            let node = Node::of_host(host, folder.path().join(host.name()), &programs, installed.owner)?;
            node.write(CONFIG, &settings::file(host, lease, &installed.binaries), 0o644)?;
            node.write(layout::UNITS, &serde_json::to_string(&[patroni()])?, 0o644)?;
            Ok(node)
        };
        let (a, b) = (node(Host::A)?, node(Host::B)?);
        let etcd = Owned(etcd(&network, folder.path())?);
        let binaries = installed.binaries.clone();
        let mut cluster = Cluster { writer: None, a, b, etcd, network, binaries, lease, folder };
        match cluster.begin() {
            Ok(()) => Ok(cluster),
            Err(error) => bail!("{error:#}\nall of it is in {}", cluster.keep().display()),
        }
    }

    fn begin(&mut self) -> Result<()> {
        let health = format!("http://{}:{}/health", Host::Witness.address(), settings::ETCD);
        self.until("etcd answers", |cluster| cluster.get(Host::Witness, &health).is_ok())?;
        self.a.power_on(&self.network)?;
        self.until("the first node leads", |cluster| cluster.says(Host::A, "primary"))?;
        self.b.power_on(&self.network)?;
        self.settle()?;
        self.psql(self.leader()?, TABLE).map(drop)
    }

    /// Waits until one leads, and the other one streams and may lead next.
    ///
    /// # Errors
    /// That does not come.
    pub fn settle(&self) -> Result<()> {
        self.until("one leads, the other is its synchronous standby", |cluster| {
            let whole = |leads, stands| {
                cluster.says(leads, "primary")
                    && cluster.says(stands, "synchronous")
                    && cluster.streams(leads).is_ok_and(|streams| streams)
            };
            whole(Host::A, Host::B) || whole(Host::B, Host::A)
        })
    }

    fn until(&self, what: &str, is_so: impl Fn(&Cluster) -> bool) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if is_so(self) {
                return Ok(());
            }
            sleep(Duration::from_millis(200));
        }
        bail!("not within {PATIENCE:?}: {what}");
    }

    /// Who has the lease, and takes writes.
    ///
    /// # Errors
    /// Nobody has.
    pub fn leader(&self) -> Result<Host> {
        [Host::A, Host::B].into_iter().find(|host| self.says(*host, "primary")).context("nobody leads")
    }

    /// Whether a node's Patroni says that it is this.
    fn says(&self, host: Host, role: &str) -> bool {
        self.get(host, &format!("http://{}:{}/{role}", host.address(), settings::REST)).is_ok()
    }

    fn get(&self, host: Host, url: &str) -> Result<String> {
        let mut curl = self.network.at(host);
        run(curl.args(["curl", "--silent", "--fail", "--max-time", "2", url]))
    }

    fn streams(&self, leads: Host) -> Result<bool> {
        let question = "select from pg_stat_replication where state = 'streaming' and sync_state = 'sync'";
        Ok(self.psql(leads, &format!("select exists ({question})"))? == "t")
    }

    fn psql(&self, host: Host, question: &str) -> Result<String> {
        let psql = self.binaries.join("psql").display().to_string();
        let said = self.node(host).run(&[
            &psql,
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--host=/run/postgresql",
            "--username=postgres",
            &format!("--command={question}"),
        ])?;
        Ok(said.trim().to_owned())
    }

    fn node(&self, host: Host) -> &Node {
        if host == Host::A { &self.a } else { &self.b }
    }

    /// # Errors
    /// See [`Node::power_cut`].
    pub fn power_cut(&mut self, host: Host) -> Result<()> {
        let node = if host == Host::A { &mut self.a } else { &mut self.b };
        node.power_cut(&self.network)
    }

    /// # Errors
    /// See [`Node::power_on`].
    pub fn power_on_what_is_off(&mut self) -> Result<()> {
        for node in [&mut self.a, &mut self.b] {
            if !node.is_on() {
                node.power_on(&self.network)?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// It does not run.
    pub fn kill_postgresql(&mut self, host: Host) -> Result<()> {
        self.node(host).order("kill postgres").map(drop)
    }

    /// A hand-over, as an operator does it.
    ///
    /// # Errors
    /// Patroni refuses.
    pub fn switch_over(&mut self) -> Result<()> {
        let mut patronictl = self.network.at(Host::Client);
        patronictl.arg(PATRONICTL).arg("--config-file").arg(self.a.path(CONFIG));
        run(patronictl.args(["switchover", settings::SCOPE, "--force"])).map(drop)
    }

    /// Seconds that etcd made of the leader's lease.
    ///
    /// # Errors
    /// It does not say.
    pub fn granted(&self) -> Result<String> {
        let ask = |what: &str, question: serde_json::Value| -> Result<serde_json::Value> {
            let url = format!("http://{}:{}/v3/{what}", Host::Witness.address(), settings::ETCD);
            let mut curl = self.network.at(Host::Witness);
            let question = question.to_string();
            let said = run(curl.args(["curl", "--silent", "--fail", "--data", &question, &url]))?;
            Ok(serde_json::from_str(&said)?)
        };
        let leader = ask("kv/range", serde_json::json!({ "key": LEADER }))?;
        let lease = ask("lease/timetolive", serde_json::json!({ "ID": leader["kvs"][0]["lease"] }))?;
        Ok(lease["grantedTTL"].as_str().context("etcd does not say for how long")?.to_owned())
    }

    /// # Errors
    /// Something ends meanwhile.
    pub fn usage(&self, time: Duration) -> Result<Usages> {
        let leader = self.leader()?;
        let other = leader.other();
        let etcd = self.etcd.0.id();
        let machines = [
            Machine { name: "leader", processes: Box::new(|| self.node(leader).processes()) },
            Machine { name: "standby", processes: Box::new(|| self.node(other).processes()) },
            Machine { name: "witness", processes: Box::new(move || usage::one(etcd)) },
        ];
        usage::over(&machines, time)
    }

    fn history(&self) -> PathBuf {
        self.folder.path().join("history")
    }

    /// # Errors
    /// It cannot be started, or does not get to write.
    pub fn start_writer(&mut self) -> Result<()> {
        let hosts = [Host::A, Host::B].map(Host::address).join(",");
        let conninfo = format!(
            "host={hosts} user=postgres dbname=postgres target_session_attrs=read-write sslmode=disable"
        );
        let mut command = self.network.at(Host::Client);
        command.arg(std::env::current_exe()?).arg("write").arg(self.history()).arg(conninfo);
        self.writer = Some(Owned(command.stdin(Stdio::null()).spawn()?));
        self.until("the client writes", |cluster| {
            cluster.acknowledged().is_ok_and(|acknowledged| acknowledged.len() > 100)
        })
    }

    /// # Errors
    /// See [`Acknowledged::read`].
    pub fn acknowledged(&self) -> Result<Acknowledged> {
        Acknowledged::read(&self.history())
    }

    /// Ends the writer: how many rows were acknowledged to it, and which of them are not there.
    ///
    /// # Errors
    /// Nobody leads.
    pub fn judge(&mut self) -> Result<(usize, Vec<i64>)> {
        self.writer = None;
        let present = self.psql(self.leader()?, "select number from written")?;
        let present = present.lines().map(str::parse).collect::<Result<BTreeSet<i64>, _>>()?;
        let acknowledged = self.acknowledged()?;
        Ok((acknowledged.len(), acknowledged.lost(&present)))
    }

    /// Where everything of it is; kept when a trial fails.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        let Cluster { writer, a, b, etcd, network, folder, .. } = self;
        drop((writer, a, b, etcd));
        drop(network);
        folder.keep()
    }
}

/// With the same priority as our agent; what it starts gets none.
fn patroni() -> Unit {
    let command = format!(
        "/usr/bin/chrt --rr --reset-on-fork 1 /usr/bin/setpriv --reuid=postgres --regid=postgres --init-groups {PATRONI} {CONFIG}"
    );
    Unit {
        name: "patroni".into(),
        command: command.split(' ').map(str::to_owned).collect(),
        environment: vec![("HOME".into(), layout::POSTGRESQL.into())],
        user: None,
        pause: Duration::from_millis(100),
        starts: true,
    }
}

/// With the same priority as our witness.
fn etcd(network: &Network, folder: &Path) -> Result<Child> {
    let log = fs::File::create(folder.join("etcd.log"))?;
    let url = format!("http://{}:{}", Host::Witness.address(), settings::ETCD);
    let mut command: Command = network.at(Host::Witness);
    command.args(["chrt", "--rr", "1", ETCD, "--data-dir"]).arg(folder.join("etcd"));
    command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
    Ok(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
}
