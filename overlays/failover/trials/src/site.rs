//! A whole site, up and running.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::choice;
use crate::command::{run, words};
use crate::follow::Kine;
use crate::image::Image;
use crate::layout;
use crate::load::Load;
use crate::network::{ADDRESS, Host, Network};
use crate::node::Node;
use crate::story::Story;
use crate::unit::{Unit, id};

/// Hang guard for what takes seconds on a free machine.
pub const PATIENCE: Duration = Duration::from_secs(300);
const PORT: u16 = 7401;

pub struct Site {
    // Dropped in this order: processes, network, root, folder.
    pub load: Option<Load>,
    pub a: Node,
    pub b: Node,
    witness: Option<Child>,
    pub network: Network,
    programs: PathBuf,
    _image: Image,
    folder: tempfile::TempDir,
}

impl Site {
    /// Makes a new site and waits until each commit is on both nodes and the client writes through the site's address.
    ///
    /// # Errors
    /// This machine or user cannot do this; a program does not come up, with where its log is.
    pub fn up() -> Result<Self> {
        let mut site = Site::without_client()?;
        let kubeconfig = site.kubeconfig()?;
        site.load = Some(Load::start(&site.network, site.folder.path(), &kubeconfig)?);
        site.writes()?;
        Ok(site)
    }

    /// The same, but nobody writes.
    ///
    /// # Errors
    /// See [`Site::up`].
    pub fn without_client() -> Result<Self> {
        let mut site = Site::make()?;
        site.start_witness()?;
        site.a.power_on(&site.network)?;
        site.b.power_on(&site.network)?;
        site.settle()?;
        Ok(site)
    }

    fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gt").tempdir()?;
        // PostgreSQL's user goes through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let image = Image::open(&folder.path().join("image"))?;
        let programs = programs(folder.path())?;
        let network = Network::make(&image.root)?;
        let node = |host: Host| Node::new(host, folder.path().join(host.name()), &image.root, &programs);
        let (a, b) = (node(Host::A)?, node(Host::B)?);
        let site = Site { load: None, a, b, witness: None, network, programs, _image: image, folder };
        site.keys()?;
        site.configure(&site.a, Host::B)?;
        site.configure(&site.b, Host::A)?;
        site.certificates()?;
        Ok(site)
    }

    fn keys(&self) -> Result<()> {
        let folder = self.folder.path();
        let mut witness = Command::new(self.programs.join("geminios-witness"));
        witness.args(["add-site", "trial"]);
        run(witness.arg("--dir").arg(folder.join("register")).arg("--sites").arg(folder.join("sites")))?;
        let witness_key = fs::read_to_string(folder.join("sites/trial.key"))?;
        let mut random = [0; 32];
        std::io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut random)?;
        let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        for node in [&self.a, &self.b] {
            node.write(layout::KEY, &key, 0o600)?;
            node.write(layout::WITNESS_KEY, &witness_key, 0o600)?;
        }
        Ok(())
    }

    fn configure(&self, node: &Node, other: Host) -> Result<()> {
        let image = &self._image.root;
        let (mine, other) = (node.host.address(), other.address());
        let digit = if node.host == Host::A { "a" } else { "b" };
        node.write("/etc/machine-id", &format!("{}\n", digit.repeat(32)), 0o444)?;
        let how = if choice::kine() == Kine::Cut { "cut" } else { "restart" };
        let follow = format!("#!/bin/sh\nexec /opt/failover-trials follow {how} {other} \"$@\"\n");
        node.write(layout::FOLLOW, &follow, 0o755)?;
        let user = id(image, "postgres")?;
        node.write(layout::SETTINGS, &settings(digit, mine, other, user), 0o600)?;
        let units = [
            agent(),
            kine_unit(image, other)?,
            Unit::of_image(image, "kube-apiserver", &[("NODE_IP", mine)])?,
        ];
        node.write(layout::UNITS, &serde_json::to_string(&units)?, 0o644)
    }

    /// Both nodes have one authority, one key for tokens and one for secrets.
    fn certificates(&self) -> Result<()> {
        let bootstrap = ["/usr/bin/geminios-bootstrap", "--root", layout::KUBERNETES];
        self.a.run_once(&self.network, &bootstrap)?;
        let pki = |node: &Node| node.path(layout::KUBERNETES).join("pki");
        fs::create_dir_all(pki(&self.b))?;
        for name in ["ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"] {
            fs::copy(pki(&self.a).join(name), pki(&self.b).join(name)).context(name)?;
        }
        let secrets = |node: &Node| node.path(layout::KUBERNETES).join("encryption.yaml");
        fs::copy(secrets(&self.a), secrets(&self.b))?;
        self.b.run_once(&self.network, &bootstrap).map(drop)
    }

    /// # Errors
    /// It does not start.
    pub fn start_witness(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let log = fs::File::options().append(true).create(true).open(folder.join("witness.log"))?;
        let mut command = self.network.at(Host::Witness);
        command.args(["chrt", "--rr", "1"]).arg(self.programs.join("geminios-witness")).args([
            "serve",
            "--listen",
            &format!("0.0.0.0:{PORT}"),
        ]);
        command.arg("--dir").arg(folder.join("register")).arg("--sites").arg(folder.join("sites"));
        self.witness = Some(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?);
        Ok(())
    }

    #[must_use]
    pub fn witness(&self) -> Option<&Child> {
        self.witness.as_ref()
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// # Errors
    /// It cannot be ended.
    pub fn stop_witness(&mut self) -> Result<()> {
        if let Some(mut witness) = self.witness.take() {
            witness.kill()?;
            witness.wait()?;
        }
        Ok(())
    }

    /// The witness gets back an old copy of its registers, and this is what it forgets: `meanwhile`.
    ///
    /// # Errors
    /// It cannot be stopped, copied or started.
    pub fn set_witness_back(&mut self, meanwhile: impl FnOnce(&mut Site) -> Result<()>) -> Result<()> {
        let [register, old] = ["register", "register.old"].map(|name| self.folder.path().join(name));
        run(words("cp --archive --no-target-directory").args([&register, &old]))?;
        meanwhile(self)?;
        self.stop_witness()?;
        fs::remove_dir_all(&register)?;
        fs::rename(&old, &register)?;
        self.start_witness()
    }

    /// Of a client that writes through the site's address.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn kubeconfig(&self) -> Result<PathBuf> {
        let text = fs::read_to_string(self.a.path(layout::KUBERNETES).join("super-admin.conf"))?;
        // The certificates have no address that moves.
        let server = format!("server: https://{ADDRESS}:6443\n    tls-server-name: kubernetes");
        let path = self.folder.path().join("kubeconfig");
        fs::write(&path, text.replace("server: https://127.0.0.1:6443", &server))?;
        Ok(path)
    }

    /// Waits until one leads, each commit is on both nodes, and both API servers answer.
    ///
    /// # Errors
    /// That does not come; with what both say.
    pub fn settle(&self) -> Result<()> {
        self.until("one leads, the other has everything, and both API servers answer", |site| {
            let roles = [site.a.role(), site.b.role()].map(Option::unwrap_or_default);
            matches!(roles.each_ref().map(String::as_str), ["leader", "standby"] | ["standby", "leader"])
                && site.answers(Host::A)
                && site.answers(Host::B)
        })
    }

    fn writes(&self) -> Result<()> {
        let history = self.folder.path().join("history.jsonl");
        self.until("the client writes", |_| fs::metadata(&history).is_ok_and(|data| data.len() > 50_000))
    }

    /// Whether the API server of this node is ready, with all that it needs.
    #[must_use]
    pub fn answers(&self, host: Host) -> bool {
        let mut curl = self.network.at(host);
        let url = format!("https://{}:6443/readyz", host.address());
        run(curl.args(["curl", "--silent", "--insecure", "--fail", "--max-time", "2", &url]))
            .is_ok_and(|text| text == "ok")
    }

    /// # Errors
    /// It is not so within [`PATIENCE`]; with what both nodes say.
    pub fn until(&self, what: &str, is_so: impl Fn(&Site) -> bool) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE * choice::pace() {
            if is_so(self) {
                return Ok(());
            }
            sleep(Duration::from_millis(200));
        }
        let say = |node: &Node| node.ask("status").unwrap_or_else(|error| error.to_string());
        bail!("not within {PATIENCE:?}: {what}\na: {}b: {}", say(&self.a), say(&self.b));
    }

    /// Who leads and has everything on the other one, and the other one.
    ///
    /// # Errors
    /// Nobody does.
    pub fn leader(&self) -> Result<Host> {
        [&self.a, &self.b]
            .into_iter()
            .find(|node| {
                node.role().is_some_and(|role| role.starts_with("leader") && role != "leader-not-serving")
            })
            .map(|node| node.host)
            .context("nobody leads")
    }

    pub fn node(&mut self, host: Host) -> (&mut Node, &Network) {
        (if host == Host::A { &mut self.a } else { &mut self.b }, &self.network)
    }

    #[must_use]
    pub fn story(&self, from: u64, to: u64) -> Story {
        Story::merged([self.a.story(), self.b.story()].concat(), from, to)
    }

    /// Where everything of it is; kept when a trial fails.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        let Site { load, a, b, mut witness, network, _image, folder, .. } = self;
        drop((load, a, b));
        if let Some(witness) = &mut witness {
            let _ = witness.kill().and_then(|()| witness.wait());
        }
        drop((network, _image));
        folder.keep()
    }
}

/// The agent and this program, where the nodes have /opt.
fn programs(folder: &Path) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    // A test is one folder deeper than the programs.
    let places = here.ancestors().skip(1).take(2);
    let programs = folder.join("programs");
    fs::create_dir_all(&programs)?;
    for name in ["failover-trials", "geminios-failover", "geminios-witness"] {
        let found = places.clone().map(|place| place.join(name)).find(|path| path.is_file());
        let found = found.with_context(|| {
            format!("{name} is not beside {}\n  help: cargo build -p geminios-failover -p geminios-failover-witness -p geminios-failover-trials --bins", here.display())
        })?;
        fs::copy(&found, programs.join(name)).with_context(|| found.display().to_string())?;
    }
    Ok(programs)
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

fn settings(me: &str, mine: &str, other: &str, user: u32) -> String {
    let layout::Paths { key, state, agent, follow, witness_key, data, own, binaries, config } = layout::PATHS;
    let witness = Host::Witness.address();
    // The agent's own, but for the pace.
    let [promise, drift, loss, start] = [2000, 40, 1000, 10_000].map(|time| time * choice::pace());
    format!(
        "me = '{me}'\ndecides = 'witness'\nkey = '{key}'\nstate = '{state}'\nsocket = '{agent}'\nfollow = '{follow}'\n\
         without-watchdog = 'a leader that hangs may be read from until somebody resets it'\n\
         [[path]]\nmine = '{mine}:7946'\nother = '{other}:7946'\n\
         [address]\ninterface = 'eth0'\naddresses = ['{ADDRESS}/32']\n\
         [witness]\nsite = 'trial'\n[witness.service]\naddress = '{witness}:{PORT}'\nkey = '{witness_key}'\n\
         [postgresql]\ndata = '{data}'\nown = '{own}'\nbinaries = '{binaries}'\nconfig = '{config}/postgresql.conf'\n\
         socket = '/run/postgresql'\nlisten = '{mine}'\npeer = '{other}'\nrun-as = [{user}, {user}]\nslot-keep = 64\nclients = ['kine']\n\
         initdb = ['{binaries}/initdb', '--username=postgres', '--encoding=UTF8', '--locale-provider=builtin', \
         '--builtin-locale=C.UTF-8', '--locale=C.UTF-8', '--data-checksums', '--auth=peer', '--pgdata']\n\
         [times]\npromise = {promise}\ndrift = {drift}\nloss = {loss}\nstart = {start}\n"
    )
}
