//! The site's network: one namespace for each machine, a bridge in one of its own, and what goes wrong on it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::command::{feed, run, words};

/// Who has a port on the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    A,
    B,
    Witness,
    Client,
}

impl Host {
    pub const ALL: [Host; 4] = [Host::A, Host::B, Host::Witness, Host::Client];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Host::A => "a",
            Host::B => "b",
            Host::Witness => "w",
            Host::Client => "c",
        }
    }

    /// Of two nodes.
    #[must_use]
    pub const fn other(self) -> Host {
        if matches!(self, Host::A) { Host::B } else { Host::A }
    }

    #[must_use]
    pub fn address(self) -> &'static str {
        match self {
            Host::A => "10.77.0.11",
            Host::B => "10.77.0.12",
            Host::Witness => "10.77.0.20",
            Host::Client => "10.77.0.30",
        }
    }
}

/// The site's address, which follows the leader.
pub const ADDRESS: &str = "10.77.0.10";

/// Of what goes from one to the other, so many percent are lost.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    pub from: Host,
    pub to: Host,
    pub percent: u8,
}

/// Of the names of namespaces; a process id follows.
const PREFIX: &str = "failover-trials-";

pub struct Network {
    prefix: String,
    root: PathBuf,
    detour: Option<(Host, Child)>,
}

impl Network {
    /// One for each process. `root`: of the image, which has nft.
    ///
    /// # Errors
    /// The machine or its user may not do this.
    pub fn make(root: &Path) -> Result<Self> {
        remove_left_over();
        let network = Network {
            prefix: format!("{PREFIX}{}", std::process::id()),
            root: root.to_owned(),
            detour: None,
        };
        let hub = network.hub();
        run(&mut words(&format!("ip netns add {hub}")))?;
        network.ip("link add br0 type bridge forward_delay 0")?;
        network.ip("link set br0 up")?;
        for host in Host::ALL {
            let (name, namespace) = (host.name(), network.namespace(host));
            run(&mut words(&format!("ip netns add {namespace}")))?;
            network.ip(&format!("link add p-{name} type veth peer name eth0 netns {namespace}"))?;
            network.ip(&format!("link set p-{name} master br0 up"))?;
            run(&mut words(&format!("ip -n {namespace} link set lo up")))?;
            network.begin(host)?;
        }
        Ok(network)
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.prefix)
    }

    fn namespace(&self, host: Host) -> String {
        format!("{}-{}", self.prefix, host.name())
    }

    fn ip(&self, line: &str) -> Result<String> {
        run(&mut words(&format!("ip -n {} {line}", self.hub())))
    }

    /// The beginning of a command that runs at this host, and not longer than who began it.
    #[must_use]
    pub fn at(&self, host: Host) -> Command {
        words(&format!("setpriv --pdeathsig KILL nsenter --net=/run/netns/{} --", self.namespace(host)))
    }

    /// As a host's network is when it has just started: with its own address, and no other that it held before.
    ///
    /// # Errors
    /// See [`run`].
    pub fn begin(&self, host: Host) -> Result<()> {
        let address = host.address();
        for line in [
            "addr flush dev eth0".to_owned(),
            format!("addr add {address}/24 dev eth0"),
            "link set eth0 up".to_owned(),
        ] {
            run(&mut words(&format!("ip -n {} {line}", self.namespace(host))))?;
        }
        Ok(())
    }

    /// The port of a host, as a cable that is pulled or put in; both ends see it.
    ///
    /// # Errors
    /// See [`run`].
    pub fn plug(&self, host: Host, is_in: bool) -> Result<()> {
        self.ip(&format!("link set p-{} {}", host.name(), if is_in { "up" } else { "down" })).map(drop)
    }

    /// All that goes to and comes from this host takes a way that takes longer, and brings it once more after `again`. `program` is this one.
    ///
    /// # Errors
    /// See [`run`]; no TAP ports can be made.
    pub fn detour(
        &mut self,
        host: Host,
        late: Duration,
        again: Option<Duration>,
        program: &Path,
    ) -> Result<()> {
        let mut command =
            words(&format!("setpriv --pdeathsig KILL nsenter --net=/run/netns/{} --", self.hub()));
        command.arg(program).args(["detour", "near", "far"]);
        command.args([Some(late), again].into_iter().flatten().map(|time| time.as_millis().to_string()));
        self.detour = Some((host, command.stdin(Stdio::null()).spawn().context("nsenter")?));
        let begun = Instant::now();
        while self.ip("link show far").is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                bail!("there are no TAP ports");
            }
            sleep(Duration::from_millis(20));
        }
        self.ip("link add br1 type bridge forward_delay 0")?;
        for line in ["br1 up", "near master br1 up", "far master br0 up"] {
            self.ip(&format!("link set {line}"))?;
        }
        self.ip(&format!("link set p-{} master br1", host.name())).map(drop)
    }

    /// Ends the detour.
    ///
    /// # Errors
    /// See [`run`].
    pub fn straight(&mut self) -> Result<()> {
        let Some((host, mut way)) = self.detour.take() else { return Ok(()) };
        self.ip(&format!("link set p-{} master br0", host.name()))?;
        way.kill()?;
        way.wait()?;
        self.ip("link delete br1").map(drop)
    }

    /// These losses, and no others.
    ///
    /// # Errors
    /// See [`run`].
    pub fn lose(&self, losses: &[Loss]) -> Result<()> {
        let mut rules = String::from("table bridge faults\ndelete table bridge faults\n");
        rules.push_str("table bridge faults {\nchain forward {\ntype filter hook forward priority 0\n");
        for Loss { from, to, percent } in losses {
            let share =
                if *percent < 100 { format!("numgen random mod 100 < {percent} ") } else { String::new() };
            let _ = writeln!(rules, "iifname \"p-{}\" oifname \"p-{}\" {share}drop", from.name(), to.name());
        }
        rules.push_str("}\n}\n");
        let mut nft = words(&format!("nsenter --net=/run/netns/{} -- chroot", self.hub()));
        feed(nft.arg(&self.root).args(["/usr/sbin/nft", "-f", "-"]), &rules).map(drop)
    }

    /// Cuts or loses in both directions.
    ///
    /// # Errors
    /// See [`run`].
    pub fn lose_between(&self, one: Host, other: Host, percent: u8) -> Result<()> {
        self.lose(&[Loss { from: one, to: other, percent }, Loss { from: other, to: one, percent }])
    }
}

/// Of trials that were killed: their namespaces are named after their process.
fn remove_left_over() {
    let names = run(&mut words("ip netns list")).unwrap_or_default();
    for name in names.lines().filter_map(|line| line.split_ascii_whitespace().next()) {
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = run(&mut words(&format!("ip netns delete {name}")));
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.straight();
        let names = Host::ALL.map(|host| self.namespace(host));
        for name in names.iter().chain([&self.hub()]) {
            let _ = run(&mut words(&format!("ip netns delete {name}")));
        }
    }
}
